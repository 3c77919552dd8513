import { AppError, aliasRecord, deletionRecord, manifest, modelName, versionRecord } from "@whittle/contracts";
import { reportChart, reportMarkdown, type Published } from "@whittle/jobs/report";
import type { Page } from "@whittle/store";
import type { Request, Response } from "express";
import { z } from "zod";
import { cursorOfVersion, nextPage, pageQuery, readPage, versionPage } from "../paging.ts";
import { param, route, routeWith, versionParam, type Route } from "../route.ts";
import { lineageNode, model } from "../schemas.ts";
import type { Services } from "../services.ts";
import { forced, refuseUsed, takesVersion } from "../users.ts";

const tag = "models";
const anyReference = "`name` here is a name, name@version, name@alias or sha256:<digest>.";

const namePage = pageQuery((text) => modelName.safeParse(text).data);
const move = z.strictObject({
  version: z.int().positive(),
  generation: z
    .int()
    .nonnegative()
    .optional()
    .meta({ description: "The alias's generation that you saw (0: none); 409 when it has moved since." }),
});

export function modelRoutes(services: Services): Route[] {
  return [
    ...nameRoutes(services),
    deleteRoute(services),
    ...reportRoutes(services),
    ...artifactRoutes(services),
    aliasRoute(services),
  ];
}

function nameRoutes({ store }: Services): Route[] {
  return [
    routeWith(namePage, {
      method: "get",
      path: "/v1/models",
      tag,
      summary: "List models by name",
      answer: z.object({ models: z.array(model), ...nextPage }),
      handle: async ({ input }) => {
        const { items: models, ...more } = await readPage(
          input,
          (page) => store.models(page),
          ({ name }) => name,
        );
        return { models, ...more };
      },
    }),
    route({
      method: "get",
      path: "/v1/models/:name",
      tag,
      summary: "Show a model's versions and aliases",
      answer: model,
      handle: ({ request }) => store.model(param(request, "name")),
    }),
    routeWith(versionPage, {
      method: "get",
      path: "/v1/models/:name/versions",
      tag,
      summary: "List a model's versions, oldest first",
      answer: z.object({ versions: z.array(versionRecord), ...nextPage }),
      handle: async ({ input, request }) => {
        const find = (page: Page<number>) => store.versions(param(request, "name"), page);
        const { items: versions, ...more } = await readPage(input, find, cursorOfVersion);
        return { versions, ...more };
      },
    }),
    route({
      method: "get",
      path: "/v1/models/:name/versions/:version",
      tag,
      summary: "Show a version: what was measured, and its manifest",
      answer: versionRecord.extend({ manifest }),
      handle: async ({ request }) => {
        const record = await store.version(param(request, "name"), versionParam(request));
        return { ...record, manifest: await store.manifest(record.digest) };
      },
    }),
  ];
}

function deleteRoute(services: Services): Route {
  const { store, auth } = services;
  return routeWith(forced, {
    method: "delete",
    path: "/v1/models/:name/versions/:version",
    tag,
    summary: "Delete a version; its number is not given again",
    description:
      "Serving apps unload it when they next look at the store; its files go with a later `whittle store gc`, but for what another version needs. " +
      "Deleting it twice is as once. 409 when an alias points to it, or a job that has not ended takes it.",
    scope: "admin",
    answer: deletionRecord,
    handle: async ({ input: { force }, request }) => {
      const name = param(request, "name");
      const version = versionParam(request);
      if (!force && !(await store.isDeleted(name, version))) {
        const record = await store.version(name, version);
        await refuseUsed(services, `${name}@${version}`, (job) => takesVersion(services, job, record));
      }
      return store.deleteVersion(name, version, { actor: auth.actor(request), force });
    },
  });
}

/** What a person reads and looks at; made from the version record and the manifest when it is asked for. */
function reportRoutes({ store }: Services): Route[] {
  const published = async (request: Request): Promise<Published> => {
    const { digest, name, version } = await store.resolve(param(request, "name"));
    if (name === undefined || version === undefined) {
      const issues = [{ path: "name", message: "must be a name, name@version or name@alias" }];
      throw new AppError("invalid_request", "a report is of a published version, not of a digest", { issues });
    }
    const [record, found, { parents }] = await Promise.all([
      store.version(name, version),
      store.manifest(digest),
      store.lineage(digest),
    ]);
    return { record, manifest: found, parentName: parents[0]?.names[0] };
  };
  return [
    route({
      method: "get",
      path: "/v1/models/:name/report",
      tag,
      summary: "A version's model card, in Markdown",
      description:
        "What was measured, beside the model that it was made from; what the model is and is not for. `name` here is a name, " +
        "name@version or name@alias.",
      mediaType: "text/markdown",
      handle: async ({ request, response }) => {
        const text = reportMarkdown(await published(request));
        response.type("text/markdown").send(text);
      },
    }),
    route({
      method: "get",
      path: "/v1/models/:name/report.svg",
      tag,
      summary: "What a version takes of the size, time and accuracy of the model that it was made from, as a chart",
      mediaType: "image/svg+xml",
      handle: async ({ request, response }) => {
        const chart = reportChart(await published(request));
        if (chart === undefined) throw new AppError("not_found", "this version was made from no other model");
        response.type("image/svg+xml").send(chart);
      },
    }),
  ];
}

function artifactRoutes({ store }: Services): Route[] {
  const manifestOf = async (request: Request) => {
    const { digest } = await store.resolve(param(request, "name"));
    return { digest, manifest: await store.manifest(digest) };
  };
  return [
    route({
      method: "get",
      path: "/v1/models/:name/manifest",
      tag,
      summary: "Show a model's manifest",
      description: anyReference,
      answer: manifest,
      handle: async ({ request }) => (await manifestOf(request)).manifest,
    }),
    route({
      method: "get",
      path: "/v1/models/:name/lineage",
      tag,
      summary: "What a model was made from",
      description: anyReference,
      answer: lineageNode,
      handle: async ({ request }) => store.lineage((await manifestOf(request)).digest),
    }),
    route({
      method: "get",
      path: "/v1/models/:name/files/:file",
      tag,
      summary: "Download a file of a model",
      description: `${anyReference} \`file\` is a path of the manifest or a role (onnx). Its SHA-256 is checked before it is sent.`,
      headers: { "If-None-Match": "304 when the file's ETag (its digest) is this one." },
      mediaType: "application/octet-stream",
      handle: async ({ request, response }) => {
        const found = await manifestOf(request);
        const which = param(request, "file");
        const file = found.manifest.files.find(({ path, role }) => path === which || role === which);
        if (file) describeFile(response, file);
        if (file && hasAlready(request, file.digest)) response.status(304).end();
        else response.end(await store.readFile(found.manifest, which));
      },
    }),
  ];
}

function aliasRoute({ store, auth }: Services): Route {
  return routeWith(move, {
    method: "put",
    path: "/v1/models/:name/aliases/:alias",
    tag,
    summary: "Move an alias to a version",
    example: { version: 2, generation: 1 },
    answer: aliasRecord,
    handle: ({ input: { version, generation }, request }) =>
      store.setAlias(param(request, "name"), param(request, "alias"), version, {
        actor: auth.actor(request),
        ...(generation !== undefined && { generation }),
      }),
  });
}

/** `request.fresh` will not do: it takes the `Cache-Control: no-cache` that fetch sends by itself as a wish to get the file anyway. */
function hasAlready(request: Request, digest: string): boolean {
  const known = (request.get("if-none-match") ?? "").split(",").map((each) => each.trim().replace(/^W\//, ""));
  return known.some((each) => each === "*" || each === `"${digest}"`);
}

function describeFile(
  response: Response,
  file: { path: string; mediaType: string; size: number; digest: string },
): void {
  const sum = Buffer.from(file.digest.replace("sha256:", ""), "hex").toString("base64");
  response.set({
    "Content-Type": file.mediaType,
    "Content-Length": String(file.size),
    "Content-Disposition": `attachment; filename="${file.path}"`,
    ETag: `"${file.digest}"`,
    "Repr-Digest": `sha-256=:${sum}:`,
    "Cache-Control": "private, no-cache",
  });
}
