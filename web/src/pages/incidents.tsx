import { incidents } from "./kinds";
import { records } from "./records";

export default records(incidents);
