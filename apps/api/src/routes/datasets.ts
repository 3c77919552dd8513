import { datasets } from "@whittle/zoo/catalog";
import { z } from "zod";
import { route, type Route } from "../route.ts";
import { dataset } from "../schemas.ts";
import type { Services } from "../services.ts";

export function datasetRoutes({ queue }: Services): Route[] {
  return [
    route({
      method: "get",
      path: "/v1/datasets",
      tag: "datasets",
      summary: "List the data sets that are known, with the workers that can read each",
      answer: z.object({ datasets: z.array(dataset) }),
      handle: async () => {
        const workers = await queue.workers();
        const having = (name: string): string[] =>
          workers.filter((one) => one.datasets.includes(name)).map(({ id }) => id);
        const described = Object.values(datasets).map((each) => Object.assign({ workers: having(each.name) }, each));
        return { datasets: described };
      },
    }),
  ];
}
