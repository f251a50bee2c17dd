-- FORBID: let claims up to a stamp be dead if a record does not hold their value. KEYS: the record, its fence. ARGV: the
-- stamp, after how many microseconds a claim is dead by itself, 1 to forbid nothing that is younger, how many fields,
-- these; and, if the record is expected to exist, for each 1 and its bytes, or 0 and nothing.
-- Returns 'gone', or 'young', or, if the record is not as expected, the bytes of its fields.
local count, at, now = tonumber(ARGV[4]), 0, clock()
at = 5 + count
local data = redis.pcall('HMGET', KEYS[1], unpack(ARGV, 5, at - 1))
local exists = not data.err and redis.call('EXISTS', KEYS[1]) == 1 -- another shape is no record
local expected = ARGV[at] ~= nil
if exists then
  if not expected then return {'there', data} end
  for i = 1, count do
    local bytes = ARGV[at + 2 * i - 2] == '1' and ARGV[at + 2 * i - 1]
    if data[i] ~= bytes then return {'there', data} end
  end
end
local stamp = tonumber(ARGV[1])
if now >= stamp + ARGV[2] then return {'gone'} end
if ARGV[3] == '1' then return {'young'} end
if stamp > tonumber(redis.call('GET', KEYS[2]) or 0) then
  redis.call('SET', KEYS[2], as_text(stamp), 'PXAT', as_text(math.ceil((stamp + ARGV[2]) / 1000)))
end
return {'gone'}
