#!lua name=wc
--[[
faultline's Redis functions: the only code that changes a job's state.

Each function is atomic and idempotent, and does no per-word work: Redis
coordinates and stores blobs; counting and folding stay with the clients.

Key schema (one job; every key carries the hash tag {job}, and is passed as a key)

  {job}:tasks              stream   splits to do: fields seq, task. Only on the origin's own Redis
  {job}:manifest           hash     ORIGIN -> sealed total; ORIGIN/high -> highest seq enqueued here
  {job}:applied:ORIGIN     bitmap   bit seq is 1 once the dot (ORIGIN, seq) is applied (the P side)
  {job}:deltas:ORIGIN      hash     seq -> packed counts (docs/delta-format.md)
  {job}:digest             hash     ORIGIN -> XOR over applied dots of sha1(dot, content), in hex
  {job}:latency            hash     ORIGIN/seq -> seconds from enqueue to commit, by the server's clock
  {job}:errors             hash     ORIGIN/seq -> last error, JSON
  {job}:dead               hash     ORIGIN/seq -> the error that ended the split, JSON
  {job}:stats              hash     duplicates, takeovers, speculations, failures, wasted_ms
  {job}:started            hash     seq -> "SECONDS BYTES": first claim of a split, on its origin's Redis
  {job}:pace               list     "SECONDS BYTES" of the latest splits, from first claim to commit
  {job}:copies             hash     seq -> when a speculative copy was handed out
  {job}:counts             zset     published totals, read with ZREVRANGE (written by the driver)
  {job}:published          string   which state `counts` was made of (written by the driver)

The dot (ORIGIN, seq) is a split's identity. Its delta never changes, so applying
it is: set its bit if it was clear. That makes merge the union of dots, whoever
delivers them, however often, in whichever order.
]]

local GROUP = 'workers'

-- How many of the latest splits tell the pace; and the fewest that tell anything.
local PACE_MOST, PACE_LEAST = 101, 3
-- What a split costs beyond its bytes, in bytes: tiny splits are all about equal.
local PACE_FLOOR = 65536

-- Offset and size of the content checksum in a delta's header (docs/delta-format.md).
local SUM_FIRST, SUM_LAST = 5, 20

local function xor_hex(a, b)
  local out = {}
  for i = 1, 40, 8 do
    local x = tonumber(string.sub(a, i, i + 7), 16)
    local y = tonumber(string.sub(b, i, i + 7), 16)
    out[#out + 1] = bit.tohex(bit.bxor(x, y))
  end
  return table.concat(out)
end

-- The one merge. True if the dot was new here, false if it was a duplicate.
local function merge(applied, deltas, digest, dead, origin, seq, delta)
  if redis.call('SETBIT', applied, seq, 1) == 1 then
    return false
  end
  redis.call('HSET', deltas, seq, delta)
  local content = string.sub(delta, SUM_FIRST, SUM_LAST)
  local dot = redis.sha1hex(origin .. '/' .. seq .. '/' .. content)
  local before = redis.call('HGET', digest, origin)
  redis.call('HSET', digest, origin, before and xor_hex(before, dot) or dot)
  redis.call('HDEL', dead, origin .. '/' .. seq)
  return true
end

local function settle(tasks, entry)
  -- XACK by another consumer than the owner succeeds: the first finisher wins.
  redis.call('XACK', tasks, GROUP, entry)
  redis.call('XDEL', tasks, entry)
end

local function seconds_now()
  local now = redis.call('TIME')
  return now[1] + now[2] / 1e6
end

local function seconds_since(entry)
  return seconds_now() - tonumber(string.match(entry, '^(%d+)-')) / 1e3
end

local function parse_started(text)
  local at, bytes = string.match(text, '^(%S+) (%S+)$')
  return tonumber(at), tonumber(bytes)
end

-- A split is done: forget when it began, remember how long it took.
local function note_pace(started, pace, copies, seq)
  local text = redis.call('HGET', started, seq)
  if text then
    local at, bytes = parse_started(text)
    redis.call('LPUSH', pace, string.format('%.6f %d', seconds_now() - at, bytes))
    redis.call('LTRIM', pace, 0, PACE_MOST - 1)
    redis.call('HDEL', started, seq)
    redis.call('HDEL', copies, seq)
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

-- KEYS tasks, applied; ARGV pairs (seq, task). Puts back splits that are neither
-- applied nor queued: only while the queue is empty, so nothing in flight is doubled.
-- Returns how many it added.
local function requeue(keys, args)
  if redis.call('XLEN', keys[1]) > 0 then
    return 0
  end
  local added = 0
  for i = 1, #args, 2 do
    if redis.call('GETBIT', keys[2], args[i]) == 0 then
      redis.call('XADD', keys[1], '*', 'seq', args[i], 'task', args[i + 1])
      added = added + 1
    end
  end
  return added
end

-- KEYS manifest; ARGV origin, total. Declares the origin's manifest complete.
local function seal(keys, args)
  redis.call('HSETNX', keys[1], args[1], args[2])
  local sealed = redis.call('HGET', keys[1], args[1])
  if sealed ~= args[2] then
    return redis.error_reply('SEALED ' .. args[1] .. ' is sealed at ' .. sealed
      .. ' splits, not ' .. args[2])
  end
  return tonumber(sealed)
end

-- KEYS tasks, started; ARGV consumer, how many at most.
-- Leases splits that nobody has. Returns [entry, seq, task] each.
local function claim(keys, args)
  local reply = redis.pcall('XREADGROUP', 'GROUP', GROUP, args[1], 'COUNT', args[2],
    'STREAMS', keys[1], '>')
  local claimed = {}
  if not reply or reply.err then -- no group yet, or not any more: nothing is queued here
    return claimed
  end
  local now = seconds_now()
  for _, row in ipairs(reply[1][2]) do
    local seq, task = row[2][2], row[2][4]
    local length = cjson.decode(task)[3]
    -- A split that was given up and put back begins anew.
    redis.call('HSET', keys[2], seq, string.format('%.6f %d', now, length))
    claimed[#claimed + 1] = { row[1], seq, task }
  end
  return claimed
end

-- KEYS applied, deltas, digest, dead, latency, stats, tasks, started, pace, copies
-- ARGV origin, then triples (seq, entry, delta); entry is '' except on the
-- origin's own Redis, where the split's stream entry is settled too.
-- Returns one 1 (applied) or 0 (duplicate) a dot.
local function commit(keys, args)
  local origin = args[1]
  local result = {}
  for i = 2, #args, 3 do
    local seq, entry, delta = args[i], args[i + 1], args[i + 2]
    local new = merge(keys[1], keys[2], keys[3], keys[4], origin, seq, delta)
    if entry ~= '' then
      if new then
        redis.call('HSET', keys[5], origin .. '/' .. seq, tostring(seconds_since(entry)))
      end
      note_pace(keys[8], keys[9], keys[10], seq)
      settle(keys[7], entry)
      if not new then
        redis.call('HINCRBY', keys[6], 'duplicates', 1)
      end
    end
    result[#result + 1] = new and 1 or 0
  end
  return result
end

-- KEYS applied, deltas, digest, dead; ARGV origin, then pairs (seq, delta).
-- The same merge for dots that arrive from another replica. Returns as commit does.
local function apply(keys, args)
  local result = {}
  for i = 2, #args, 2 do
    local new = merge(keys[1], keys[2], keys[3], keys[4], args[1], args[i], args[i + 1])
    result[#result + 1] = new and 1 or 0
  end
  return result
end

-- KEYS tasks, dead, errors, stats
-- ARGV origin, consumer, lease in ms, how many at most, max deliveries.
-- Takes over splits whose lease has run out. One that was delivered too often
-- without a result is buried instead. Returns [entry, seq, task, deliveries] each.
local function takeover(keys, args)
  local tasks, dead, errors, stats = keys[1], keys[2], keys[3], keys[4]
  local origin, consumer, lease = args[1], args[2], args[3]
  local most = tonumber(args[4])
  local max_deliveries = tonumber(args[5])
  local taken = {}
  -- XPENDING's IDLE filter scans the whole pending list, so nothing live ahead of
  -- an expired entry can hide it (as it can from XAUTOCLAIM with a small COUNT).
  local expired = redis.pcall('XPENDING', tasks, GROUP, 'IDLE', lease, '-', '+', most)
  if expired.err then -- no group yet: nothing was ever enqueued here
    return taken
  end
  for _, pending in ipairs(expired) do
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
        redis.call('HSET', dead, dot, last or cjson.encode({
          error = 'delivered ' .. deliveries .. ' times without a result: '
            .. 'does counting it kill the worker?', origin = origin, seq = tonumber(seq), task = task,
        }))
        settle(tasks, entry)
      else
        redis.call('XCLAIM', tasks, GROUP, consumer, lease, entry)
        redis.call('HINCRBY', stats, 'takeovers', 1)
        taken[#taken + 1] = { entry, seq, task, deliveries + 1 }
      end
    end
  end
  return taken
end

-- KEYS tasks, started, pace, copies, stats
-- ARGV consumer, factor, least age in seconds, least seconds between two copies, how many at most.
-- Stragglers: splits that others hold, for more than `factor` times what the median pace
-- gives for their bytes. Their leases stay where they are; the first commit wins.
-- Returns [entry, seq, task] each, oldest first. (Zaharia et al., Improving MapReduce
-- Performance in Heterogeneous Environments, OSDI 2008, for running copies of the slowest.)
local function speculate(keys, args)
  local tasks, started, pace, copies = keys[1], keys[2], keys[3], keys[4]
  local factor, least_age = tonumber(args[2]), tonumber(args[3])
  local between, most = tonumber(args[4]), tonumber(args[5])
  local chosen = {}
  local paces = {}
  for _, text in ipairs(redis.call('LRANGE', pace, 0, -1)) do
    local seconds, bytes = parse_started(text)
    paces[#paces + 1] = seconds / math.max(bytes, PACE_FLOOR)
  end
  if #paces < PACE_LEAST then
    return chosen
  end
  table.sort(paces)
  local median = paces[math.ceil(#paces / 2)]
  local now = seconds_now()
  local pending = redis.pcall('XPENDING', tasks, GROUP, '-', '+', 100)
  for _, row in ipairs(pending.err and {} or pending) do
    if #chosen >= most then
      break
    end
    local found = redis.call('XRANGE', tasks, row[1], row[1])
    local text = #found == 1 and redis.call('HGET', started, found[1][2][2])
    if text and row[2] ~= args[1] then
      local seq, task = found[1][2][2], found[1][2][4]
      local at, bytes = parse_started(text)
      local expected = median * math.max(bytes, PACE_FLOOR)
      local copied = tonumber(redis.call('HGET', copies, seq) or 0)
      if now - at > math.max(least_age, factor * expected)
        and now - copied > math.max(between, factor * expected) then
        redis.call('HSET', copies, seq, string.format('%.6f', now))
        redis.call('HINCRBY', keys[5], 'speculations', 1)
        chosen[#chosen + 1] = { row[1], seq, task }
      end
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

-- KEYS tasks, errors, dead, stats
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
    redis.call('HSET', dead, dot, args[4])
    settle(tasks, entry)
    return 1
  end
  return 0
end

-- KEYS dead, applied; ARGV origin, then pairs (seq, error as JSON).
-- Tells this replica of splits that were given up elsewhere, unless it has them applied.
-- Returns how many were new here.
local function bury(keys, args)
  local new = 0
  for i = 2, #args, 2 do
    if redis.call('GETBIT', keys[2], args[i]) == 0 then
      new = new + redis.call('HSET', keys[1], args[1] .. '/' .. args[i], args[i + 1])
    end
  end
  return new
end

-- KEYS manifest, digest, dead, stats, published, then applied:ORIGIN for each; ARGV the origins.
-- Returns JSON: {"origins": {ORIGIN: {total, high, applied, dead, digest}}, "stats": {},
-- "published": string}. total is -1 until sealed.
local function status(keys, args)
  local dead = {}
  for _, dot in ipairs(redis.call('HKEYS', keys[3])) do
    local origin = string.match(dot, '^(.*)/')
    dead[origin] = (dead[origin] or 0) + 1
  end
  local origins = {}
  for i, origin in ipairs(args) do
    origins[origin] = {
      total = tonumber(redis.call('HGET', keys[1], origin) or -1),
      high = tonumber(redis.call('HGET', keys[1], origin .. '/high') or 0),
      applied = redis.call('BITCOUNT', keys[5 + i]),
      dead = dead[origin] or 0,
      digest = redis.call('HGET', keys[2], origin) or '',
    }
  end
  local stats = { duplicates = 0, takeovers = 0, speculations = 0, failures = 0, wasted_ms = 0 }
  local flat = redis.call('HGETALL', keys[4])
  for i = 1, #flat, 2 do
    stats[flat[i]] = tonumber(flat[i + 1])
  end
  return cjson.encode({
    origins = origins,
    stats = stats,
    published = redis.call('GET', keys[5]) or '',
  })
end

redis.register_function('wc_enqueue', enqueue)
redis.register_function('wc_requeue', requeue)
redis.register_function('wc_seal', seal)
redis.register_function('wc_claim', claim)
redis.register_function('wc_commit', commit)
redis.register_function('wc_apply', apply)
redis.register_function('wc_takeover', takeover)
redis.register_function('wc_speculate', speculate)
redis.register_function('wc_renew', renew)
redis.register_function('wc_fail', fail)
redis.register_function('wc_bury', bury)
redis.register_function({ function_name = 'wc_status', callback = status, flags = { 'no-writes' } })
