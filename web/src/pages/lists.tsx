import { equipment } from "./kinds";
import { records } from "./records";

export default records(equipment);
