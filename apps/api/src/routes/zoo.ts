import { families } from "@whittle/zoo/catalog";
import { z } from "zod";
import { route, type Route } from "../route.ts";
import { family } from "../schemas.ts";

export function zooRoutes(): Route[] {
  const described = Object.values(families).map(({ name, title, description, params }) => {
    return { name, title, description, params: z.toJSONSchema(params, { io: "input", unrepresentable: "any" }) };
  });
  return [
    route({
      method: "get",
      path: "/v1/families",
      tag: "zoo",
      summary: "List the model families with the JSON Schema of their parameters (`familyParams` of a job)",
      answer: z.object({ families: z.array(family) }),
      handle: async () => ({ families: described }),
    }),
  ];
}
