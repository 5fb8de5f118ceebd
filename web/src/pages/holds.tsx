import { holds } from "./kinds";
import { records } from "./records";

export default records(holds);
