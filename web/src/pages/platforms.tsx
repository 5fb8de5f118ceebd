import { platforms } from "./kinds";
import { records } from "./records";

export default records(platforms);
