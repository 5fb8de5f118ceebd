import { nominations } from "./kinds";
import { records } from "./records";

export default records(nominations);
