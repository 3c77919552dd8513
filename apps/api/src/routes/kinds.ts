import { z } from "zod";
import { route, type Route } from "../route.ts";
import { kind } from "../schemas.ts";
import type { Services } from "../services.ts";

export function kindRoutes({ catalog }: Services): Route[] {
  const kinds = Object.values(catalog).map(({ params, ...rest }) => {
    return Object.assign({ params: z.toJSONSchema(params, { io: "input", unrepresentable: "any" }) }, rest);
  });
  return [
    route({
      method: "get",
      path: "/v1/kinds",
      tag: "jobs",
      summary: "List the job kinds with the JSON Schema of their parameters and an example",
      answer: z.object({ kinds: z.array(kind) }),
      handle: async () => ({ kinds }),
    }),
  ];
}
