import {
  AppError,
  datasetRecord,
  deletionRecord,
  parseUploadedDataset,
  type UploadedDataset,
} from "@whittle/contracts";
import { sliceOf, type Page } from "@whittle/store";
import { datasets, zooDataset } from "@whittle/zoo/catalog";
import { readUpload, type Archive } from "@whittle/zoo/uploaded";
import { z } from "zod";
import { digestHeader, withBody, type Received } from "../bytes.ts";
import { cursorOfVersion, nextPage, pageQuery, readPage, versionPage } from "../paging.ts";
import { querySchema } from "../query.ts";
import { param, routeWith, versionParam, type Route } from "../route.ts";
import { dataset } from "../schemas.ts";
import type { Services } from "../services.ts";
import { forced, refuseUsed, takesDataset } from "../users.ts";

const tag = "data sets";

const uploadedPage = pageQuery(parseUploadedDataset);
const bound = z.coerce.number().min(-1e6).max(1e6).optional();
const preprocessing = querySchema({
  scale: bound
    .refine((scale) => scale !== 0, "must not be 0")
    .meta({ description: "Models see x * scale + offset; by default 1/255 for images of bytes, else 1." }),
  offset: bound.meta({ description: "By default 0." }),
});

export function datasetRoutes(services: Services): Route[] {
  return [listRoute(services), versionsRoute(services), addRoute(services), deleteRoute(services)];
}

function listRoute({ queue, store }: Services): Route {
  const cursorOf = ({ name, version }: UploadedDataset): string => `${name}@${version}`;
  return routeWith(uploadedPage, {
    method: "get",
    path: "/v1/datasets",
    tag,
    summary: "List the data sets of the zoo with the workers that can read each, and those that were uploaded",
    description:
      "A job names an uploaded one as name@version; every worker can read it. Those that were uploaded have pages; each page has all of " +
      "the zoo.",
    answer: z.object({ datasets: z.array(dataset), uploaded: z.array(datasetRecord), ...nextPage }),
    handle: async ({ input }) => {
      const listed = readPage(input, (page) => store.datasets.list(page), cursorOf);
      const [workers, { items: uploaded, ...more }] = await Promise.all([queue.workers(), listed]);
      const having = (name: string): string[] =>
        workers.filter((one) => one.datasets.includes(name)).map(({ id }) => id);
      const zoo = Object.values(datasets).map((each) => ({ ...each, workers: having(each.name) }));
      return { datasets: zoo, uploaded, ...more };
    },
  });
}

function versionsRoute({ store }: Services): Route {
  return routeWith(versionPage, {
    method: "get",
    path: "/v1/datasets/:name/versions",
    tag,
    summary: "List an uploaded data set's versions, oldest first",
    answer: z.object({ versions: z.array(datasetRecord), ...nextPage }),
    handle: async ({ input, request }) => {
      const find = (page: Page<number>) => store.datasets.versions(param(request, "name"), page);
      const { items: versions, ...more } = await readPage(input, find, cursorOfVersion);
      return { versions, ...more };
    },
  });
}

function addRoute({ store, auth, uploadLimitBytes }: Services): Route {
  return routeWith(preprocessing, {
    method: "post",
    path: "/v1/datasets/:name/versions",
    tag,
    summary: "Upload a version of a data set; jobs take it as name@version",
    description:
      "The body is a NumPy archive (`numpy.savez_compressed`) of `x_train`, `y_train`, `x_test`, `y_test` and, where wanted, `labels` and " +
      "`vocabulary`. The same file as that of the newest version, with the same scale and offset, is that version and makes none.",
    bytes: true,
    headers: digestHeader,
    status: 201,
    answer: datasetRecord,
    handle: async ({ input: { scale, offset }, request }) => {
      const name = param(request, "name");
      if (zooDataset(name)) {
        const message = `must not be ${name}, which is a data set of the zoo: choose another name`;
        throw new AppError("invalid_request", `the name ${message}`, { issues: [{ path: "name", message }] });
      }
      return withBody(request, uploadLimitBytes, async (body) => {
        const options = { scale, offset, limitBytes: uploadLimitBytes };
        const { content, warnings } = await readUpload(archiveIn(body), options);
        return store.datasets.add(body, { name, actor: auth.actor(request), content, warnings });
      });
    },
  });
}

/** A file as an archive is read: part by part, so that it is never in memory beside its arrays. */
function archiveIn(body: Received): Archive {
  return { size: body.size, read: (from, length) => sliceOf(body, from, length) };
}

function deleteRoute(services: Services): Route {
  const { store, auth } = services;
  return routeWith(forced, {
    method: "delete",
    path: "/v1/datasets/:name/versions/:version",
    tag,
    summary: "Delete a version of an uploaded data set; its number is not given again",
    description:
      "Its file goes with a later `whittle store gc`; models that were made with it stay. Deleting it twice is as once. 409 when a job " +
      "that has not ended takes it.",
    scope: "admin",
    answer: deletionRecord,
    handle: async ({ input: { force }, request }) => {
      const [name, version] = [param(request, "name"), versionParam(request)];
      if (!force && !(await store.datasets.isDeleted(name, version))) {
        await store.datasets.find(name, version);
        const reference = `${name}@${version}`;
        await refuseUsed(services, reference, (job) => takesDataset(services, job, reference));
      }
      return store.datasets.delete(name, version, auth.actor(request));
    },
  });
}
