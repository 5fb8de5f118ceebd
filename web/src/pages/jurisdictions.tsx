import { jurisdictions } from "./kinds";
import { records } from "./records";

export default records(jurisdictions);
