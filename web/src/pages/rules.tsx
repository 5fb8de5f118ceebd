import { rules } from "./kinds";
import { records } from "./records";

export default records(rules);
