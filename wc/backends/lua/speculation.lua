-- Speculation: an idle worker counts a straggler a second time, and the first commit wins. A straggler
-- is a split that is leased for much longer than the median pace of recent splits gives for its bytes.
-- (Zaharia et al., Improving MapReduce Performance in Heterogeneous Environments, OSDI 2008.)

-- The fewest recent splits that give a pace.
local PACE_LEAST = 3
-- What a split costs beyond its bytes, in bytes: tiny splits are all about equal.
local PACE_FLOOR = 65536

local function median_pace(pace)
  local paces = {}
  for _, text in ipairs(redis.call('LRANGE', pace, 0, -1)) do
    local seconds, bytes = parse_started(text)
    paces[#paces + 1] = seconds / math.max(bytes, PACE_FLOOR)
  end
  table.sort(paces)
  return #paces >= PACE_LEAST and paces[math.ceil(#paces / 2)]
end

-- KEYS pace, stats, then tasks, started, copies for each origin
-- ARGV consumer, factor, least age in seconds, least seconds between two copies, how many at
-- most, the origins.
-- Stragglers: splits that others have leased for more than `factor` times what the median pace
-- gives for their bytes. Their leases stay where they are; the first commit wins.
-- Returns [origin, entry, seq, task] each, all of one origin, oldest first.
local function speculate(keys, args)
  local factor, least_age = tonumber(args[2]), tonumber(args[3])
  local between, most = tonumber(args[4]), tonumber(args[5])
  local chosen = {}
  local median = median_pace(keys[1])
  local now = seconds_now()
  for i = 6, median and #args or 0 do
    local tasks, started, copies = keys[3 * i - 15], keys[3 * i - 14], keys[3 * i - 13]
    local pending = redis.pcall('XPENDING', tasks, GROUP, '-', '+', 100)
    for _, row in ipairs(pending.err and {} or pending) do
      local found = #chosen < most and redis.call('XRANGE', tasks, row[1], row[1]) or {}
      local text = #found == 1 and redis.call('HGET', started, found[1][2][2])
      if text and row[2] ~= args[1] then
        local seq, task = found[1][2][2], found[1][2][4]
        local at, bytes = parse_started(text)
        local expected = median * math.max(bytes, PACE_FLOOR)
        local copied = tonumber(redis.call('HGET', copies, seq) or 0)
        if now - at > math.max(least_age, factor * expected)
          and now - copied > math.max(between, factor * expected) then
          redis.call('HSET', copies, seq, string.format('%.6f', now))
          redis.call('HINCRBY', keys[2], 'speculations', 1)
          chosen[#chosen + 1] = { args[i], row[1], seq, task }
        end
      end
    end
    if #chosen > 0 then
      return chosen
    end
  end
  return chosen
end

redis.register_function('wc_speculate', speculate)
