import { consents } from "./kinds";
import { records } from "./records";

export default records(consents);
