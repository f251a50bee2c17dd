-- Stands before scripts that ask whether an index is whole. Its empty member is there from when it is noted until the server
-- evicts it: entries that are added after that do not make it whole.
local function is_kept(index)
  return redis.call('ZRANGE', index, '0', '0')[1] == ''
end

