export { idxFolder as load } from "../../idx.ts";
