import { assessments } from "./kinds";
import { records } from "./records";

export default records(assessments);
