import { overrides } from "./kinds";
import { records } from "./records";

export default records(overrides);
