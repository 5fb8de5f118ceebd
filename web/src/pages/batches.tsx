import { batches } from "./kinds";
import { records } from "./records";

export default records(batches);
