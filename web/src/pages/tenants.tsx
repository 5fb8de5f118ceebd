import { tenants } from "./kinds";
import { records } from "./records";

export default records(tenants);
