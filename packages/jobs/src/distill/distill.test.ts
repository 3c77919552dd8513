import { testJobKind, tinyTraining } from "../testing.ts";

const { dataset: _ofTheTeacher, ...training } = tinyTraining;
const params = { ...training, teacher: "tiny-base", familyParams: { hidden: [8] }, temperature: 3, alpha: 0.4 };

testJobKind("distill", { params, reseeded: { ...params, seed: 8 } });
