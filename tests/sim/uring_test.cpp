// The simulated ring: what io_uring promises, each of its faults, and the checks of memory.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string>
#include <vector>

#include "sluice/io/engines/ring.hpp"
#include "sluice/io/engines/uring_probe.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/thread.hpp"
#include "tests/sim/rig.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

struct completion {
    std::uint64_t data = 0;
    int result = 0;
    unsigned flags = 0;

    [[nodiscard]] bool more() const { return (flags & IORING_CQE_F_MORE) != 0; }
};

/// A ring as the engine makes it.
class tested_ring : public io::ring {
 public:
    explicit tested_ring(unsigned submissions = 8, unsigned completions = 16) {
        io_uring_params p{};
        p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                  IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP;
        p.cq_entries = completions;
        opened_ = open(submissions, p);
        entries = {p.sq_entries, p.cq_entries};
    }
    [[nodiscard]] const result<void>& opened() const { return opened_; }

    /// Fills an entry by `prepare(io_uring_sqe&)`.
    template <class Prepare>
    void add(std::uint64_t data, Prepare prepare) {
        io_uring_sqe* entry = next_entry();
        ASSERT_NE(entry, nullptr);
        prepare(*entry);
        io_uring_sqe_set_data64(entry, data);
    }
    /// What is posted, without a call.
    std::vector<completion> posted() {
        std::vector<completion> all;
        take_completions([&](const io_uring_cqe& c) {
            all.push_back({.data = c.user_data, .result = c.res, .flags = c.flags});
        });
        return all;
    }
    /// Waits until `count` have come.
    std::vector<completion> wait_for(std::size_t count) {
        std::vector<completion> all = posted();
        while (all.size() < count) {
            submit_and_wait(nullptr);
            std::ranges::copy(posted(), std::back_inserter(all));
        }
        return all;
    }
    completion one() { return wait_for(1).front(); }

    std::array<unsigned, 2> entries{};

 private:
    result<void> opened_;
};

/// Both ends of a connection, of which the first is accepted.
std::array<unique_fd, 2> connected(std::uint16_t port) {
    const unique_fd listener{os::sys().socket(AF_INET, SOCK_STREAM, 0)};
    const sockaddr_in where = loopback(port);
    EXPECT_EQ(os::sys().bind(listener.get(), as_sockaddr(where), sizeof where), 0);
    EXPECT_EQ(os::sys().listen(listener.get(), 4), 0);
    unique_fd client{os::sys().socket(AF_INET, SOCK_STREAM, 0)};
    EXPECT_EQ(os::sys().connect(client.get(), as_sockaddr(where), sizeof where), 0);
    return {unique_fd{os::sys().accept4(listener.get(), nullptr, nullptr, 0)}, std::move(client)};
}

/// A world whose only fault is `rate`.
sim::world_options with(double sim::fault_rates::* rate, double probability = 1,
                        std::uint64_t seed = 1) {
    sim::fault_rates faults;
    faults.*rate = probability;
    return {.seed = seed, .faults = faults};
}

TEST(simulated_ring, completes_when_asked_for_events_alone) {
    in_world(quiet(1), [](sim::world&) {
        const unique_fd counter{os::sys().eventfd(0, 0)};
        tested_ring ring;
        ring.add(7, [&](io_uring_sqe& e) { io_uring_prep_poll_add(&e, counter.get(), POLLIN); });
        EXPECT_EQ(ring.submit(), 1);
        const std::uint64_t one = 1;
        EXPECT_EQ(os::sys().write(counter.get(), std::as_bytes(std::span{&one, 1})), 8);
        EXPECT_EQ(ring.submit(), 0);
        EXPECT_TRUE(ring.posted().empty());
        EXPECT_EQ(ring.submit_and_get_events(), 0);
        const auto all = ring.posted();
        ASSERT_EQ(all.size(), 1U);
        EXPECT_EQ(all[0].data, 7U);
        EXPECT_EQ(all[0].result, POLLIN);
    });
}

TEST(simulated_ring, waits_until_its_deadline) {
    in_world(quiet(1), [](sim::world& w) {
        tested_ring ring;
        const auto before = w.now();
        const timespec a_second{.tv_sec = 1, .tv_nsec = 0};
        EXPECT_EQ(ring.submit_and_wait(&a_second), -ETIME);
        EXPECT_GE(w.now() - before, sim::a_second);
    });
}

TEST(simulated_ring, belongs_to_the_thread_that_made_it) {
    in_world(quiet(1), [](sim::world&) {
        tested_ring ring;
        ring.add(1, [](io_uring_sqe& e) { io_uring_prep_nop(&e); });
        os::thread other;
        ASSERT_TRUE(other.start([&ring]() noexcept {
            EXPECT_EQ(ring.submit(), -EEXIST);
            EXPECT_EQ(ring.submit_and_get_events(), -EEXIST);
        }));
        other.join();
        EXPECT_EQ(ring.one().result, 0);
    });
}

TEST(simulated_ring, works_by_a_registered_descriptor) {
    in_world(quiet(1), [](sim::world&) {
        tested_ring first;
        tested_ring second;
        EXPECT_TRUE(first.register_descriptor());
        EXPECT_TRUE(second.register_descriptor());
        second.add(2, [](io_uring_sqe& e) { io_uring_prep_nop(&e); });
        EXPECT_EQ(second.one().data, 2U);
        EXPECT_TRUE(first.posted().empty());
    });
}

TEST(simulated_ring, accepts_many_times) {
    in_world(quiet(1), [](sim::world&) {
        const unique_fd listener{os::sys().socket(AF_INET, SOCK_STREAM, 0)};
        const sockaddr_in where = loopback(80);
        ASSERT_EQ(os::sys().bind(listener.get(), as_sockaddr(where), sizeof where), 0);
        ASSERT_EQ(os::sys().listen(listener.get(), 8), 0);
        tested_ring ring;
        ring.add(1, [&](io_uring_sqe& e) {
            io_uring_prep_multishot_accept(&e, listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
        });
        std::vector<unique_fd> all;
        for (int i = 0; i < 3; ++i) {
            const unique_fd client{os::sys().socket(AF_INET, SOCK_STREAM, 0)};
            ASSERT_EQ(os::sys().connect(client.get(), as_sockaddr(where), sizeof where), 0);
            const completion c = ring.one();
            EXPECT_TRUE(c.more());
            all.emplace_back(c.result);
            EXPECT_TRUE(all.back());
        }
        ring.add(2, [](io_uring_sqe& e) { io_uring_prep_cancel64(&e, 1, 0); });
        for (const completion& c : ring.wait_for(2)) {
            EXPECT_EQ(c.result, c.data == 1 ? -ECANCELED : 0);
            EXPECT_FALSE(c.more());
        }
    });
}

/// Provided buffers of eight bytes each.
struct provided {
    std::array<std::array<char, 8>, 4> bytes{};
    mapping memory = std::move(*mapping::create(4 * sizeof(io_uring_buf)));

    io_uring_buf_ring* ring() { return static_cast<io_uring_buf_ring*>(memory.data()); }
    void publish(int which) {
        io_uring_buf_ring_add(ring(), bytes.at(static_cast<std::size_t>(which)).data(), 8,
                              static_cast<unsigned short>(which), io_uring_buf_ring_mask(4), 0);
        io_uring_buf_ring_advance(ring(), 1);
    }
    void register_with(io::ring& r) {
        io_uring_buf_reg request{};
        request.ring_addr = reinterpret_cast<std::uintptr_t>(memory.data());
        request.ring_entries = 4;
        EXPECT_EQ(r.register_with(IORING_REGISTER_PBUF_RING, &request, 1), 0);
    }
};

void prepare_receiving(io_uring_sqe& e, int fd) {
    io_uring_prep_recv_multishot(&e, fd, nullptr, 0, 0);
    io_uring_sqe_set_flags(&e, IOSQE_BUFFER_SELECT);
}

TEST(simulated_ring, receives_into_provided_buffers_until_there_are_none) {
    in_world(quiet(1), [](sim::world&) {
        const auto [ours, theirs] = connected(80);
        provided buffers;
        tested_ring ring;
        buffers.register_with(ring);
        buffers.publish(0);
        buffers.publish(1);
        ASSERT_EQ(write_text(theirs.get(), "12345678abcdefgh-"), 17);
        os::sleep_for(1ms);
        ring.add(1, [&](io_uring_sqe& e) { prepare_receiving(e, ours.get()); });
        const auto all = ring.wait_for(3);
        ASSERT_EQ(all.size(), 3U);
        for (int i = 0; i < 2; ++i) {
            const completion& c = all[static_cast<std::size_t>(i)];
            EXPECT_EQ(c.result, 8);
            EXPECT_EQ(c.flags & 0xFFFFU, IORING_CQE_F_BUFFER | IORING_CQE_F_MORE);
            EXPECT_EQ(c.flags >> IORING_CQE_BUFFER_SHIFT, static_cast<unsigned>(i));
        }
        EXPECT_EQ(std::string(buffers.bytes[1].data(), 8), "abcdefgh");
        EXPECT_EQ(all[2].result, -ENOBUFS);
        EXPECT_FALSE(all[2].more());
    });
}

TEST(simulated_ring, scribbles_over_a_buffer_that_was_given_away) {
    in_world(quiet(1), [](sim::world&) {
        provided buffers;
        buffers.bytes[0].fill('x');
        tested_ring ring;
        buffers.register_with(ring);
        buffers.publish(0);
        ring.add(1, [](io_uring_sqe& e) { io_uring_prep_nop(&e); });
        ring.submit();
        EXPECT_NE(buffers.bytes[0][0], 'x');
    });
}

TEST(simulated_ring, keeps_completions_that_find_the_queue_full) {
    in_world(quiet(1), [](sim::world&) {
        tested_ring ring{4, 4};
        for (std::uint64_t i = 0; i < 8; ++i) {
            ring.add(i, [](io_uring_sqe& e) { io_uring_prep_nop(&e); });
            EXPECT_EQ(ring.submit(), 1);
        }
        std::vector<completion> all = ring.wait_for(4);
        EXPECT_EQ(all.size(), 4U);
        std::ranges::copy(ring.wait_for(4), std::back_inserter(all));
        std::ranges::sort(all, {}, &completion::data);
        for (std::uint64_t i = 0; i < 8; ++i) EXPECT_EQ(all[i].data, i);
    });
}

TEST(simulated_ring, ends_a_multishot_operation_that_finds_the_queue_full) {
    in_world(quiet(1), [](sim::world&) {
        const unique_fd counter{os::sys().eventfd(0, 0)};
        tested_ring ring{1, 1};
        const auto add_poll = [&](io_uring_sqe& e) {
            io_uring_prep_poll_multishot(&e, counter.get(), POLLIN);
        };
        ring.add(1, add_poll);
        ring.submit();
        const std::uint64_t one = 1;
        const auto count = [&] {
            os::sys().write(counter.get(), std::as_bytes(std::span{&one, 1}));
        };
        count();
        ring.submit_and_get_events();
        count();
        ring.submit_and_get_events();
        const auto all = ring.wait_for(2);
        EXPECT_TRUE(all[0].more());
        EXPECT_FALSE(all[1].more());
    });
}

TEST(simulated_ring, tells_when_the_memory_of_a_zero_copy_send_is_free) {
    in_world(quiet(1), [](sim::world&) {
        const auto [ours, theirs] = connected(80);
        std::array<char, 5> text{'h', 'e', 'l', 'l', 'o'};
        tested_ring ring;
        ring.add(1, [&, fd = ours.get()](io_uring_sqe& e) {
            io_uring_prep_send_zc(&e, fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_WAITALL, 0);
        });
        const auto all = ring.wait_for(2);
        EXPECT_EQ(all[0].result, 5);
        EXPECT_TRUE(all[0].more());
        EXPECT_EQ(all[1].flags, IORING_CQE_F_NOTIF);
        EXPECT_EQ(read_text(theirs.get()), "hello");
    });
}

TEST(simulated_ring, cancels_what_waits_and_nothing_else) {
    in_world(quiet(1), [](sim::world&) {
        const auto [ours, theirs] = connected(80);
        std::array<char, 8> memory{};
        tested_ring ring;
        ring.add(1, [&, fd = ours.get()](io_uring_sqe& e) {
            io_uring_prep_recv(&e, fd, memory.data(), memory.size(), 0);
        });
        ring.submit();
        ring.add(2, [](io_uring_sqe& e) { io_uring_prep_cancel64(&e, 99, 0); });
        EXPECT_EQ(ring.one().result, -ENOENT);
        ring.add(3, [fd = ours.get()](io_uring_sqe& e) {
            io_uring_prep_cancel_fd(&e, fd, IORING_ASYNC_CANCEL_ALL);
        });
        for (const completion& c : ring.wait_for(2)) {
            EXPECT_EQ(c.result, c.data == 1 ? -ECANCELED : 1);
        }
    });
}

/// Seeds in which a recv that is cancelled just as bytes come has the result `wanted`.
int cancels_with_result(double sim::fault_rates::* rate, int wanted) {
    int found = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        in_world(with(rate, 1, seed), [&](sim::world&) {
            const auto [ours, theirs] = connected(80);
            std::array<char, 8> memory{};
            tested_ring ring;
            ring.add(1, [&, fd = ours.get()](io_uring_sqe& e) {
                io_uring_prep_recv(&e, fd, memory.data(), memory.size(), 0);
            });
            ring.submit();
            ring.add(2, [](io_uring_sqe& e) { io_uring_prep_cancel64(&e, 1, 0); });
            ring.submit();
            EXPECT_EQ(write_text(theirs.get(), "late"), 4);
            for (const completion& c : ring.wait_for(2)) {
                if (c.data == 2) {
                    EXPECT_EQ(c.result, -EALREADY);
                } else if (c.result == wanted) {
                    ++found;
                }
            }
        });
    }
    return found;
}

TEST(simulated_ring, is_too_late_with_some_cancels) {
    EXPECT_GT(cancels_with_result(&sim::fault_rates::ring_cancel, 4), 0);
    EXPECT_GT(cancels_with_result(&sim::fault_rates::ring_cancel, -EINTR), 0);
    EXPECT_GT(cancels_with_result(&sim::fault_rates::ring_cancel, -ECANCELED), 0);
}

TEST(simulated_ring, may_have_small_queues) {
    in_world(with(&sim::fault_rates::ring_small), [](sim::world&) {
        const tested_ring ring{256, 4096};
        EXPECT_LE(ring.entries[0], 16U);
        EXPECT_LE(ring.entries[1], 64U);
    });
}

TEST(simulated_ring, may_refuse_entries_for_the_moment) {
    int refused = 0;
    int in_part = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        in_world(with(&sim::fault_rates::ring_busy, 0.5, seed), [&](sim::world&) {
            constexpr std::size_t count = 16;
            tested_ring ring{count, 2 * count};
            for (std::uint64_t i = 0; i < count; ++i) {
                ring.add(i, [](io_uring_sqe& e) { io_uring_prep_nop(&e); });
            }
            int taken = 0;
            for (std::size_t left = count; left > 0;) {
                // After a refusal the kernel may take none before it has posted completions.
                taken = taken < 0 ? ring.submit_and_get_events() : ring.submit();
                if (taken < 0) {
                    EXPECT_TRUE(taken == -EINTR || taken == -EAGAIN || taken == -EBUSY);
                    ++refused;
                    continue;
                }
                left -= static_cast<std::size_t>(taken);
                if (left > 0) ++in_part;
            }
            EXPECT_EQ(ring.wait_for(count).size(), count);
        });
    }
    EXPECT_GT(refused, 0);
    EXPECT_GT(in_part, 0);
}

TEST(simulated_ring, may_not_be_there) {
    in_world(with(&sim::fault_rates::ring_refused), [](sim::world&) {
        const tested_ring ring;
        ASSERT_FALSE(ring.opened());
        EXPECT_TRUE(ring.opened().error().is(ENOSYS) || ring.opened().error().is(EPERM));
        const auto found = io::probe_uring();
        EXPECT_FALSE(found.usable);
        ASSERT_TRUE(found.refusal);
        EXPECT_EQ(found.refusal->code(), ring.opened().error().code());
    });
}

TEST(simulated_ring, has_what_the_engine_needs) {
    in_world(quiet(1), [](sim::world&) {
        const auto found = io::probe_uring();
        EXPECT_TRUE(found.usable) << found.why_not;
        EXPECT_TRUE(found.send_zc);
        EXPECT_TRUE(found.splice);
        EXPECT_TRUE(found.register_ring_fd);
        EXPECT_FALSE(found.msg_ring);
    });
}

// The probe comes to an end, and leaves nothing open, whatever goes wrong.
TEST(simulated_ring, is_probed_under_every_fault) {
    int usable = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        in_world({.seed = seed}, [&](sim::world&) {
            const auto found = io::probe_uring();
            EXPECT_EQ(found.usable, found.why_not.empty());
            if (found.usable) ++usable;
        });
    }
    EXPECT_GT(usable, 20);
    EXPECT_LT(usable, 200);
}

TEST(simulated_ring_death, fails_a_program_that_changes_what_is_being_sent) {
    EXPECT_DEATH(in_world(quiet(1),
                          [](sim::world&) {
                              const auto [ours, theirs] = connected(80);
                              // More than a socket takes.
                              std::vector<char> memory(std::size_t{4} << 20);
                              tested_ring ring;
                              ring.add(1, [&, fd = ours.get()](io_uring_sqe& e) {
                                  io_uring_prep_send(&e, fd, memory.data(), memory.size(),
                                                     MSG_NOSIGNAL | MSG_WAITALL);
                              });
                              ring.submit();
                              memory.back() = 'x';
                              while (ring.posted().empty()) {
                                  static_cast<void>(read_text(theirs.get()));
                                  ring.submit_and_get_events();
                              }
                          }),
                 "memory was changed while it was being sent");
}

TEST(simulated_ring_death, fails_a_program_that_writes_where_is_received) {
    EXPECT_DEATH(in_world(quiet(1),
                          [](sim::world&) {
                              const auto [ours, theirs] = connected(80);
                              std::array<char, 8> memory{};
                              tested_ring ring;
                              ring.add(1, [&, fd = ours.get()](io_uring_sqe& e) {
                                  io_uring_prep_recv(&e, fd, memory.data(), memory.size(), 0);
                              });
                              ring.submit();
                              memory.back() = 'x';
                              static_cast<void>(write_text(theirs.get(), "text"));
                              static_cast<void>(ring.one());
                          }),
                 "memory was changed while it was received into");
}

TEST(simulated_ring_death, fails_a_program_that_reuses_a_buffer_before_its_notification) {
    EXPECT_DEATH(in_world(quiet(1),
                          [](sim::world&) {
                              const auto [ours, theirs] = connected(80);
                              std::array<char, 8> memory{};
                              tested_ring ring;
                              ring.add(1, [&, fd = ours.get()](io_uring_sqe& e) {
                                  io_uring_prep_send_zc(&e, fd, memory.data(), memory.size(),
                                                        MSG_NOSIGNAL | MSG_WAITALL, 0);
                              });
                              EXPECT_EQ(ring.one().result, 8);
                              memory.back() = 'x';
                              static_cast<void>(ring.one());
                          }),
                 "memory was changed before the notification of its send");
}

}  // namespace
}  // namespace sluice::test
