import { requests } from "./kinds";
import { records } from "./records";

export default records(requests);
