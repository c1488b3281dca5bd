// A map of limited size: the entry that was added first makes room for a new one.
#pragma once

#include <cstddef>
#include <iterator>
#include <list>
#include <map>
#include <utility>

namespace sluice::auth {

/// Ordered, so that no choice of keys makes it slow. One thread at a time.
template <class Key, class Value>
class bounded_map {
 public:
    /// `most` entries, at least one.
    explicit bounded_map(std::size_t most) noexcept : most_{most} {}

    /// The value, or null. Lives until it is erased.
    [[nodiscard]] Value* find(const Key& key) noexcept {
        const auto found = places_.find(key);
        return found == places_.end() ? nullptr : &found->second->second;
    }
    /// Adds a key that is not there; the oldest entry goes if there are too many. Throws
    /// std::bad_alloc, and nothing has changed then.
    Value& add(Key key, Value value) {
        entries_.emplace_back(std::move(key), std::move(value));
        try {
            places_.emplace(entries_.back().first, std::prev(entries_.end()));
        } catch (...) {
            entries_.pop_back();
            throw;
        }
        if (entries_.size() > most_) erase(entries_.front().first);
        return entries_.back().second;
    }
    /// Makes an entry the newest.
    void renew(const Key& key) noexcept {
        const auto found = places_.find(key);
        if (found != places_.end()) {
            entries_.splice(entries_.end(), entries_, found->second);
        }
    }
    void erase(const Key& key) noexcept {
        const auto found = places_.find(key);
        if (found == places_.end()) return;
        const auto entry = found->second;
        places_.erase(found);
        entries_.erase(entry);
    }
    void clear() noexcept {
        places_.clear();
        entries_.clear();
    }

 private:
    std::size_t most_;
    std::list<std::pair<Key, Value>> entries_;  // the oldest first
    std::map<Key, typename std::list<std::pair<Key, Value>>::iterator> places_;
};

}  // namespace sluice::auth
