import { hosts } from "./kinds";
import { records } from "./records";

export default records(hosts);
