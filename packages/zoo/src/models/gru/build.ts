import { tf } from "@whittle/engine";
import { defineRecurrent } from "../../sequence/recurrent.ts";
import { family } from "./contract.ts";

export const build = defineRecurrent(family, (args) => tf.layers.gru(args));
