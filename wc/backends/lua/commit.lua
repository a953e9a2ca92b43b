-- A worker's commit: the merge, and on the queue's own Redis the end of the lease in the same step. What
-- the splits took is kept for speculation (their pace) and for people (their latency).

-- How many of the latest splits give the pace, and how many the latency.
local PACE_MOST, LATENCY_MOST = 101, 10000

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

redis.register_function('wc_commit', commit)
