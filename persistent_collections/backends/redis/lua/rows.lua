-- Stands before scripts that read rows of the memo; see entries.lua.

-- Return the parts of a row by the names of indexes. A part is 1 if its key is claimed, two bytes, in which the name has its
-- length, three for that of the key, the name and the key.
local function parts_of(row)
  local parts, at = {}, 1
  while row and at <= #row do
    local n1, n0, k2, k1, k0 = string.byte(row, at + 1, at + 5)
    local name = at + 6 + n1 * 256 + n0
    local last = name + k2 * 65536 + k1 * 256 + k0 - 1
    parts[string.sub(row, at + 6, name - 1)] = string.sub(row, at, last)
    at = last + 1
  end
  return parts
end

