-- What wrk sends: a chat completion of some 870 bytes, as JSON or as a stream.
-- Arguments: key, host header, "json" or "stream", pause between events in microseconds.
function init(args)
  local words = string.rep("Compare the three proposals with regard to cost, risk and time. ", 9)
  local stream = ""
  if args[3] == "stream" then
    stream = ',"stream":true,"stream_options":{"include_usage":true}'
  end
  wrk.method = "POST"
  wrk.path = "/v1/chat/completions"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. args[1]
  wrk.headers["Host"] = args[2]
  wrk.headers["x-pause-us"] = args[4]
  wrk.body = '{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are a careful analyst who answers in '
    .. 'one paragraph and names what is unknown."},{"role":"user","content":"' .. words .. '"}],"temperature":0.2,'
    .. '"max_tokens":256' .. stream .. '}'
end

function done(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout
  io.write(string.format('\nresult {"requests":%d,"failed":%d,"microseconds":%d,"p50":%d,"p99":%d}\n',
    summary.requests, failed, summary.duration, latency:percentile(50), latency:percentile(99)))
end
