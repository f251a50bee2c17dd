-- Delete the items of an extended slice. ARGV: start, stop, step.
local n = redis.call('LLEN', KEYS[1])
local from, step, count = selected(ARGV[1], ARGV[2], ARGV[3], n)
if count == 0 then return end
local to = from + (count - 1) * step
if step < 0 then from, to, step = to, from, -step end
local kept = {}
for i, item in ipairs(redis.call('LRANGE', KEYS[1], from, to)) do
  if (i - 1) % step ~= 0 then kept[#kept + 1] = item end
end
splice(n, from, to + 1, kept, 1, #kept)
