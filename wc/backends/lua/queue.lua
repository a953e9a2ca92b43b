-- The queue of splits: one stream an origin, with one consumer group. A Redis holds the queue of its
-- own host, and those of origins that its host's driver has adopted. A split stays in its stream
-- until it is settled: applied, retracted or given up.

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

-- Whether a dot needs no counting and cannot be given up. `applied` is nil in an earlier version's call.
local function is_settled(applied, retracted, seq)
  return (applied and redis.call('GETBIT', applied, seq) == 1) or redis.call('GETBIT', retracted, seq) == 1
end

-- How often an origin's dead splits were put back: deaths of earlier attempts do not count. `manifest`
-- is nil in an earlier version's call.
local function attempt_of(manifest, origin)
  return manifest and tonumber(redis.call('HGET', manifest, origin .. '/attempt') or 0) or 0
end

-- A value of `dead` begins with the attempt in which the split died, unless that was the first.
local function died_in(text)
  return tonumber(string.match(text, '^{"attempt": (%d+)') or 0)
end

local function give_up(dead, manifest, origin, seq, text)
  local attempt = attempt_of(manifest, origin)
  if attempt > 0 then
    text = '{"attempt": ' .. attempt .. ', ' .. string.sub(text, 2)
  end
  redis.call('HSET', dead, origin .. '/' .. seq, text)
end

local function settle(tasks, entries)
  -- XACK by another consumer than the owner succeeds: the first finisher wins.
  with_all('XACK', tasks, entries, GROUP)
  with_all('XDEL', tasks, entries)
end

-- The stream and its group, where one of them is missing. A group that was lost begins with the
-- splits that are in the stream: all that are not settled.
local function create_group(tasks)
  redis.pcall('XGROUP', 'CREATE', tasks, GROUP, '0', 'MKSTREAM') -- BUSYGROUP: it is there
end

-- KEYS tasks, manifest; ARGV origin, then pairs (seq, task), seq ascending.
-- Adds what lies above the high-water mark, so a driver that retries adds nothing
-- twice. Creates the consumer group. Returns how many it added.
local function enqueue(keys, args)
  local tasks, manifest = keys[1], keys[2]
  local origin = args[1]
  create_group(tasks)
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
  if added > 0 then
    redis.call('HSET', manifest, field, high)
  end
  return added
end

-- KEYS tasks, applied, retracted; ARGV pairs (seq, task). Puts back splits that are neither
-- applied nor queued nor retracted: only while the queue is empty, so nothing in flight is
-- doubled. Returns how many it added.
local function requeue(keys, args)
  if redis.call('XLEN', keys[1]) > 0 then
    return 0
  end
  create_group(keys[1])
  local added = 0
  for i = 1, #args, 2 do
    if not is_settled(keys[2], keys[3], args[i]) then
      redis.call('XADD', keys[1], '*', 'seq', args[i], 'task', args[i + 1])
      added = added + 1
    end
  end
  return added
end

-- KEYS tasks, started, copies; ARGV pairs (seq, entry). Ends the leases of splits that need
-- no counting: they are retracted, or inside a base that another replica has.
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

redis.register_function('wc_enqueue', enqueue)
redis.register_function('wc_requeue', requeue)
redis.register_function('wc_drop', drop)
