-- Each thread is one worker with one connection: it leases BATCH tasks, then releases them as done, again and again.
local plan = dofile(os.getenv("PLAN"))
local threads = {}

function setup(thread)
  table.insert(threads, thread)
  thread:set("number", #threads)
end

function init()
  local worker = plan.workers[number]
  headers = {["X-Worker-ID"] = worker.id, ["X-Secret"] = worker.secret, ["Content-Type"] = "application/json"}
  local path = "/task/get/" .. plan.project
  if plan.batch > 1 then path = path .. "?count=" .. plan.batch end
  get = wrk.format("GET", path, headers)
  leased, closed, empty, refused = nil, 0, 0, 0
end

function request()
  if not leased then return get end
  if plan.batch > 1 then
    return wrk.format("POST", "/task/bulk_release", headers, '{"releases":[' .. table.concat(leased, ",") .. ']}')
  end
  return wrk.format("POST", "/task/release", headers, leased[1])
end

function response(status, _, body)
  if leased then
    if status == 200 then
      for _ in body:gmatch('"updated":true') do closed = closed + 1 end
    else
      refused = refused + 1
    end
    leased = nil
  elseif status == 200 and body:find('"ok":true', 1, true) then
    leased = {}
    if plan.batch > 1 then body = body:sub(body:find('"tasks":', 1, true), -1) end
    for id in body:gmatch('{"id":(%d+),"priority":%-?%d+,"project":') do
      leased[#leased + 1] = '{"task_id":' .. id .. ',"result":0,"verification":0}'
    end
  elseif status == 200 then
    empty = empty + 1
  else
    refused = refused + 1
  end
end

function done(summary, latency)
  local total = {closed = 0, empty = 0, refused = 0}
  for _, thread in ipairs(threads) do
    for name in pairs(total) do total[name] = total[name] + thread:get(name) end
  end
  io.write(string.format(
    '\n{"tasks_per_second":%.1f,"p50_ms":%.2f,"p99_ms":%.2f,"closed":%d,"empty":%d,"refused":%d}\n',
    total.closed / (summary.duration / 1e6), latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    total.closed, total.empty, total.refused))
end
