-- The queue of splits: one stream an origin. A Redis holds its own host's, and those that
-- its host's driver has adopted.

-- How many of the latest splits tell the pace; and the fewest that tell anything.
local PACE_MOST, PACE_LEAST = 101, 3
-- What a split costs beyond its bytes, in bytes: tiny splits are all about equal.
local PACE_FLOOR = 65536
-- How many of the latest splits tell the latency.
local LATENCY_MOST = 10000

-- How many values a call is given at most.
local VALUES_MOST = 1000

-- A command with many values, in as many calls as that takes.
local function with_all(command, key, values, ...)
  local before = { ... }
  for first = 1, #values, VALUES_MOST do
    local some = {}
    for i, value in ipairs(before) do
      some[i] = value
    end
    for i = first, math.min(#values, first + VALUES_MOST - 1) do
      some[#some + 1] = values[i]
    end
    redis.call(command, key, unpack(some))
  end
end

local function settle(tasks, entries)
  -- XACK by another consumer than the owner succeeds: the first finisher wins.
  with_all('XACK', tasks, entries, GROUP)
  with_all('XDEL', tasks, entries)
end

local function parse_started(text)
  local at, bytes = string.match(text, '^(%S+) (%S+)$')
  return tonumber(at), tonumber(bytes)
end

-- The latest values of a list, the latest first.
local function push(list, values, most)
  if #values > 0 then
    with_all('LPUSH', list, values)
    redis.call('LTRIM', list, 0, most - 1)
  end
end

-- Splits are done: forget when they began, remember how long they took.
local function note_paces(started, copies, pace, seqs)
  local now, begun, paces = seconds_now(), {}, {}
  for _, seq in ipairs(seqs) do
    local text = redis.call('HGET', started, seq)
    if text then
      local at, bytes = parse_started(text)
      begun[#begun + 1] = seq
      paces[#paces + 1] = string.format('%.6f %d', now - at, bytes)
    end
  end
  push(pace, paces, PACE_MOST)
  with_all('HDEL', started, begun)
  if redis.call('EXISTS', copies) == 1 then
    with_all('HDEL', copies, begun)
  end
end

-- KEYS tasks, manifest; ARGV origin, then pairs (seq, task), seq ascending.
-- Adds what lies above the high-water mark, so a driver that retries adds nothing
-- twice. Creates the consumer group. Returns how many it added.
local function enqueue(keys, args)
  local tasks, manifest = keys[1], keys[2]
  local origin = args[1]
  redis.pcall('XGROUP', 'CREATE', tasks, GROUP, '0', 'MKSTREAM') -- BUSYGROUP: it is there
  local field = origin .. '/high'
  local high = tonumber(redis.call('HGET', manifest, field) or 0)
  local added = 0
  for i = 2, #args, 2 do
    local seq = tonumber(args[i])
    if seq > high then
      redis.call('XADD', tasks, '*', 'seq', args[i], 'task', args[i + 1])
      high = seq
      added = added + 1
    end
  end
  redis.call('HSET', manifest, field, high)
  return added
end

-- KEYS tasks, applied, retracted; ARGV pairs (seq, task). Puts back splits that are neither
-- applied nor queued nor taken back: only while the queue is empty, so nothing in flight is
-- doubled. Returns how many it added.
local function requeue(keys, args)
  if redis.call('XLEN', keys[1]) > 0 then
    return 0
  end
  local added = 0
  for i = 1, #args, 2 do
    if redis.call('GETBIT', keys[2], args[i]) == 0 and redis.call('GETBIT', keys[3], args[i]) == 0 then
      redis.call('XADD', keys[1], '*', 'seq', args[i], 'task', args[i + 1])
      added = added + 1
    end
  end
  return added
end

-- KEYS tasks, started for each origin; ARGV consumer, how many at most, the origins.
-- Leases splits that nobody has, all of one origin. Returns [origin, entry, seq, task] each.
local function claim(keys, args)
  local claimed = {}
  for i = 3, #args do
    local tasks, started = keys[2 * i - 5], keys[2 * i - 4]
    local reply = redis.pcall('XREADGROUP', 'GROUP', GROUP, args[1], 'COUNT', args[2],
      'STREAMS', tasks, '>')
    if reply and not reply.err then -- an error: no group yet, or not any more; nothing is queued
      local now, begun = seconds_now(), {}
      for _, row in ipairs(reply[1][2]) do
        local seq, task = row[2][2], row[2][4]
        begun[#begun + 1] = seq
        begun[#begun + 1] = string.format('%.6f %d', now, cjson.decode(task)[3])
        claimed[#claimed + 1] = { args[i], row[1], seq, task }
      end
      with_all('HSET', started, begun) -- one that was given up and put back begins anew
      return claimed
    end
  end
  return claimed
end

-- KEYS results, tasks, started, copies, pace, latency, stats
-- ARGV origin, then triples (seq, entry, delta); entry is '' except on the Redis whose queue
-- the split came from, where its stream entry is settled too.
-- Returns one 1 (applied) or 0 (duplicate) a dot.
local function commit(keys, args)
  local tasks, started, copies, pace, latency, stats = unpack(keys, #RESULTS + 1)
  local seqs, deltas = {}, {}
  for i = 2, #args, 3 do
    seqs[#seqs + 1] = args[i]
    deltas[#deltas + 1] = args[i + 2]
  end
  local new = merge(results(keys), args[1], seqs, deltas)
  local now, waits, entries, settled, duplicates = seconds_now(), {}, {}, {}, 0
  for i, seq in ipairs(seqs) do
    local entry = args[3 * i]
    if entry ~= '' then
      entries[#entries + 1] = entry
      settled[#settled + 1] = seq
      if new[i] then
        waits[#waits + 1] = string.format('%.6f', now - tonumber(string.match(entry, '^(%d+)-')) / 1e3)
      else
        duplicates = duplicates + 1
      end
    end
  end
  push(latency, waits, LATENCY_MOST)
  note_paces(started, copies, pace, settled)
  settle(tasks, entries)
  if duplicates > 0 then
    redis.call('HINCRBY', stats, 'duplicates', duplicates)
  end
  return as_numbers(new)
end

-- KEYS tasks, started, copies; ARGV pairs (seq, entry). Ends the leases of splits that need
-- no counting: they are taken back, or inside a base that another replica has.
local function drop(keys, args)
  local entries = {}
  for i = 1, #args, 2 do
    redis.call('HDEL', keys[2], args[i])
    redis.call('HDEL', keys[3], args[i])
    entries[#entries + 1] = args[i + 1]
  end
  settle(keys[1], entries)
  return #entries
end

-- What a split is, for people. A task names one file, or a list of those that share the split.
local function describe(task)
  local files = cjson.decode(task)[1]
  if type(files) == 'string' then
    return files
  end
  return files[1][1] .. ' and ' .. (#files - 1) .. ' more'
end

-- KEYS dead, errors, stats, then tasks, retracted for each origin
-- ARGV consumer, lease in ms, how many at most, max deliveries, the origins.
-- Takes over splits whose lease has run out, all of one origin. One that was delivered too
-- often without a result is buried instead. Returns [origin, entry, seq, task, deliveries] each.
local function takeover(keys, args)
  local dead, errors, stats = keys[1], keys[2], keys[3]
  local consumer, lease = args[1], args[2]
  local most, max_deliveries = tonumber(args[3]), tonumber(args[4])
  local taken = {}
  for i = 5, #args do
    local origin, tasks, retracted = args[i], keys[2 * i - 6], keys[2 * i - 5]
    -- XPENDING's IDLE filter scans the whole pending list, so nothing live ahead of
    -- an expired entry can hide it (as it can from XAUTOCLAIM with a small COUNT).
    local expired = redis.pcall('XPENDING', tasks, GROUP, 'IDLE', lease, '-', '+', most)
    for _, pending in ipairs(expired.err and {} or expired) do -- an error: no group yet
      local entry, deliveries = pending[1], pending[4]
      local found = redis.call('XRANGE', tasks, entry, entry)
      if #found == 0 then -- settled and deleted, yet pending: only its ghost is left
        redis.call('XACK', tasks, GROUP, entry)
      else
        local fields = found[1][2]
        local seq, task = fields[2], fields[4]
        local dot = origin .. '/' .. seq
        if deliveries >= max_deliveries then
          local last = redis.call('HGET', errors, dot)
          if redis.call('GETBIT', retracted, seq) == 0 then
            redis.call('HSET', dead, dot, last or cjson.encode({
              error = describe(task) .. ': delivered ' .. deliveries .. ' times without a result: '
                .. 'does counting it kill the worker?', origin = origin, seq = tonumber(seq),
              task = task,
            }))
          end
          settle(tasks, { entry })
        else
          redis.call('XCLAIM', tasks, GROUP, consumer, lease, entry)
          redis.call('HINCRBY', stats, 'takeovers', 1)
          taken[#taken + 1] = { origin, entry, seq, task, deliveries + 1 }
        end
      end
    end
    if #taken > 0 then
      return taken
    end
  end
  return taken
end

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
-- Stragglers: splits that others hold, for more than `factor` times what the median pace
-- gives for their bytes. Their leases stay where they are; the first commit wins.
-- Returns [origin, entry, seq, task] each, all of one origin, oldest first. (Zaharia et al.,
-- Improving MapReduce Performance in Heterogeneous Environments, OSDI 2008, for running copies
-- of the slowest.)
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

-- KEYS tasks; ARGV consumer, entries. Renews the leases that the consumer still
-- holds, without raising their delivery count. Returns one 1 (held) or 0 (lost) each.
local function renew(keys, args)
  local result = {}
  for i = 2, #args do
    local pending = redis.pcall('XPENDING', keys[1], GROUP, args[i], args[i], 1)
    local held = not pending.err and #pending == 1 and pending[1][2] == args[1]
    if held then
      redis.call('XCLAIM', keys[1], GROUP, args[1], 0, args[i], 'JUSTID')
    end
    result[#result + 1] = held and 1 or 0
  end
  return result
end

-- KEYS tasks, errors, dead, stats, retracted
-- ARGV origin, seq, entry, error (JSON), final ('1' or '0'), max deliveries.
-- Records why a split failed. A final error, or one too many, buries it: 1.
-- Otherwise it stays leased and is tried again when the lease has run out: 0.
local function fail(keys, args)
  local tasks, errors, dead, stats = keys[1], keys[2], keys[3], keys[4]
  local dot, entry = args[1] .. '/' .. args[2], args[3]
  redis.call('HSET', errors, dot, args[4])
  redis.call('HINCRBY', stats, 'failures', 1)
  local pending = redis.pcall('XPENDING', tasks, GROUP, entry, entry, 1)
  local deliveries = (not pending.err and #pending == 1) and pending[1][4] or 0
  if args[5] == '1' or deliveries >= tonumber(args[6]) then
    if redis.call('GETBIT', keys[5], args[2]) == 0 then
      redis.call('HSET', dead, dot, args[4])
    end
    settle(tasks, { entry })
    return 1
  end
  return 0
end

redis.register_function('wc_enqueue', enqueue)
redis.register_function('wc_requeue', requeue)
redis.register_function('wc_claim', claim)
redis.register_function('wc_commit', commit)
redis.register_function('wc_drop', drop)
redis.register_function('wc_takeover', takeover)
redis.register_function('wc_speculate', speculate)
redis.register_function('wc_renew', renew)
redis.register_function('wc_fail', fail)
