import { digestHeader, withBody } from "../bytes.ts";
import { route, type Route } from "../route.ts";
import { stored } from "../schemas.ts";
import type { Services } from "../services.ts";

export function uploadRoutes({ store, uploadLimitBytes }: Services): Route[] {
  return [
    route({
      method: "post",
      path: "/v1/uploads",
      tag: "uploads",
      summary: "Store a file that a job is to take, under its digest",
      description:
        "The same bytes have the same digest. A file that no version, and no job that has not ended, needs is removed by the first " +
        "`whittle store gc` after a day; sending it again begins a new day.",
      bytes: true,
      headers: digestHeader,
      status: 201,
      answer: stored,
      handle: ({ request }) => withBody(request, uploadLimitBytes, (body) => store.putContentFile(body)),
    }),
  ];
}
