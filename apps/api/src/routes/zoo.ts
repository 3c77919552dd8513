import { datasets, families } from "@whittle/zoo/catalog";
import { z } from "zod";
import { route, type Route } from "../route.ts";
import { dataset, family } from "../schemas.ts";
import type { Services } from "../services.ts";

export function zooRoutes({ queue }: Services): Route[] {
  const described = Object.values(families).map(({ name, title, description, params }) => {
    return { name, title, description, params: z.toJSONSchema(params, { io: "input", unrepresentable: "any" }) };
  });
  return [
    route({
      method: "get",
      path: "/v1/datasets",
      tag: "zoo",
      summary: "List the data sets that are known, with the workers that can read each",
      answer: z.object({ datasets: z.array(dataset) }),
      handle: async () => {
        const workers = await queue.workers();
        const having = (name: string): string[] =>
          workers.filter((one) => one.datasets.includes(name)).map(({ id }) => id);
        return { datasets: Object.values(datasets).map((each) => ({ ...each, workers: having(each.name) })) };
      },
    }),
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
