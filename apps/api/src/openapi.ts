import { z } from "zod";
import { byteTypes } from "./bytes.ts";
import { scopeOf, takesQuery, type Route } from "./route.ts";
import { components } from "./schemas.ts";

type Json = Record<string, unknown>;

/** The OpenAPI 3.1 document of the routes; its schemas are JSON Schema 2020-12 made from the zod schemas that parse the requests. */
export function openApiDocument(routes: Route[], options: { secured: boolean }): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    for (const variant of route.documentedAs ?? [route]) {
      const path = variant.path.replaceAll(/:(\w+)/g, "{$1}");
      paths[path] = { ...paths[path], [route.method]: operation({ ...route, ...variant }) };
    }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Whittle",
      version: "0.1.0",
      description:
        "Makes neural networks small and fast: submit train, distill, prune and quantize jobs, and watch them.",
    },
    paths,
    components: {
      schemas: componentSchemas(routes),
      ...(options.secured && { securitySchemes: { key: { type: "http", scheme: "bearer" } } }),
    },
    ...(options.secured && { security: [{ key: [] }] }),
  };
}

function operation(route: Route): Json {
  const { path, tag, summary, description, input, example, status = 200 } = route;
  const query = takesQuery(route) ? input : undefined;
  const schema = !takesQuery(route) && input ? inline(input) : undefined;
  return {
    operationId: operationId(route),
    tags: [tag],
    summary,
    description: [description, `Needs a key of scope ${scopeOf(route)}.`].filter(Boolean).join(" "),
    parameters: [...pathParameters(path), ...queryParameters(query), ...headerParameters(route.headers)],
    ...(schema && {
      requestBody: {
        required: true,
        content: { "application/json": { schema, ...(example !== undefined && { example }) } },
      },
    }),
    ...(route.bytes && { requestBody: { required: true, content: byteContent } }),
    responses: {
      [status]: { description: summary, content: answerContent(route) },
      default: {
        description: "What went wrong",
        content: { "application/problem+json": { schema: reference("Problem") } },
      },
    },
  };
}

const byteContent = Object.fromEntries(
  byteTypes.map((type) => [type, { schema: { type: "string", format: "binary" } }]),
);

function answerContent(route: Route): Json {
  const { answer, mediaType = "application/json" } = route;
  return { [mediaType]: { schema: answer ? reference(answerName(answer, route)) : { type: "string" } } };
}

/** An answer that is no component of its own gets a name from its operation. */
function answerName(answer: z.ZodType, route: Route): string {
  const known = Object.entries(components).find(([, schema]) => schema === answer)?.[0];
  return known ?? `${operationId(route)}Answer`;
}

function operationId({ method, path }: Pick<Route, "method" | "path">): string {
  return method + path.replaceAll(/[^a-zA-Z0-9]+(\w?)/g, (_all, next: string) => next.toUpperCase());
}

function reference(name: string): Json {
  return { $ref: pointer(name) };
}

function pointer(name: string): string {
  return `#/components/schemas/${name}`;
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => {
    return { name, in: "path", required: true, schema: { type: "string" } };
  });
}

const objectSchema = z.object({ properties: z.record(z.string(), z.record(z.string(), z.unknown())) });

function queryParameters(query: z.ZodType | undefined): Json[] {
  const { properties } = query ? objectSchema.parse(inline(query)) : { properties: {} };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: "query", required: false, schema }));
}

function headerParameters(headers: Record<string, string> = {}): Json[] {
  return Object.entries(headers).map(([name, description]) => {
    return { name, in: "header", required: false, description, schema: { type: "string" } };
  });
}

function inline(schema: z.ZodType): Json {
  return withoutDialect(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
}

function componentSchemas(routes: Route[]): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(components)) registry.add(schema, { id });
  for (const route of routes) {
    if (route.answer && !registry.has(route.answer))
      registry.add(route.answer, { id: answerName(route.answer, route) });
  }
  const { schemas } = z.toJSONSchema(registry, { uri: pointer, unrepresentable: "any" });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, withoutDialect(schema)]));
}

/** OpenAPI 3.1 takes the dialect as given, and `$id` would change what references are relative to. */
function withoutDialect({ $schema: _schema, $id: _id, ...schema }: Json): Json {
  return schema;
}
