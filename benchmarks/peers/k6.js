import http from "k6/http";
import { check } from "k6";

export const options = { vus: Number(__ENV.CONNECTIONS), duration: __ENV.DURATION, discardResponseBodies: false };

export default function () {
  const answer = http.get(`http://127.0.0.1:${__ENV.PORT}/`);
  check(answer, { right: (r) => r.status === 200 && r.json().greeting === "Hello" });
}
