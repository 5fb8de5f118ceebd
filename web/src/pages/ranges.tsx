import { ranges } from "./kinds";
import { records } from "./records";

export default records(ranges);
