-- Requests of wrk: those of the file named by REQUESTS, apart by NUL, in turn. At the end one line of
-- numbers: answers, microseconds, answers from 400 on, broken connections.
local requests = {}
local last = 0

local file = assert(io.open(os.getenv("REQUESTS"), "rb"))
for text in file:read("*a"):gmatch("%Z+") do
  requests[#requests + 1] = text
end
file:close()

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary)
  local errors = summary.errors
  io.write(string.format("\n%d %d %d %d\n", summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
