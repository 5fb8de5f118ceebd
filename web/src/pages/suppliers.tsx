import { suppliers } from "./kinds";
import { records } from "./records";

export default records(suppliers);
