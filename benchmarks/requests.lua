-- For wrk: sends each request of a file once, in order, and tells how it went as one line of JSON.
-- The file (BENCH_REQUESTS) holds, for each request, its length in bytes, a line feed, and its bytes.
local queue = {}
local file = assert(io.open(os.getenv("BENCH_REQUESTS"), "rb"))
while true do
  local size = file:read("*n")
  if not size then break end
  file:read(1)
  queue[#queue + 1] = file:read(size)
end
file:close()

local threads = {}
function setup(thread) table.insert(threads, thread) end

sent, held = 0, #queue
function request()
  sent = sent + 1
  -- Past the end nothing is right to send; whoever reads the summary refuses the run.
  return queue[math.min(sent, held)]
end

function done(summary, latency, requests)
  local errors = summary.errors
  local taken, there = 0, 0
  for _, thread in ipairs(threads) do
    taken, there = taken + thread:get("sent"), there + thread:get("held")
  end
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"sent":%d,"held":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, taken, there,
    latency:percentile(50), latency:percentile(99)))
end
