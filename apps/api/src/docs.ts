import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import express, { Router } from "express";
import { onlyMethods } from "./problem.ts";

const initializer = `window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: "StandaloneLayout",
  });
};
`;

/** `/openapi.json`, and Swagger UI at `/docs` from the files of its package: it needs no other server. */
export function docsRouter(document: unknown): Router {
  const router = Router();
  const files = dirname(fileURLToPath(import.meta.resolve("swagger-ui-dist/package.json")));
  router.get("/openapi.json", (_request, response) => void response.json(document));
  router.all("/openapi.json", onlyMethods(["get"]));
  router.get("/docs/swagger-initializer.js", (_request, response) => void response.type("js").send(initializer));
  router.use("/docs", express.static(files));
  return router;
}
