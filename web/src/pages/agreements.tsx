import { agreements } from "./kinds";
import { records } from "./records";

export default records(agreements);
