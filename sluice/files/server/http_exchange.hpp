// One HTTP connection of the file service: reads requests and writes responses in order.
#pragma once

#include <cstdint>
#include <string>

#include "sluice/coro/task.hpp"
#include "sluice/files/server/http_body.hpp"
#include "sluice/files/server/http_connection.hpp"
#include "sluice/files/server/http_response.hpp"
#include "sluice/http/request.hpp"

namespace sluice::files {

/// What the handlers of the methods get: the connection with its request, the body of the request,
/// and the response. Responses to pipelined requests are sent together.
class http_exchange : public http_connection {
 public:
    http_exchange(const http_exchange&) = delete;
    http_exchange& operator=(const http_exchange&) = delete;
    ~http_exchange() = default;

    /// Serves until the connection ends or draining begins. `number` is the number of the client.
    static coro::task<void> serve(http_service& service, model::session& client,
                                  std::uint64_t number);

    [[nodiscard]] request_body& body() noexcept { return body_; }
    /// Made where it is needed: an idle connection has no room for one.
    [[nodiscard]] response_writer response() noexcept { return response_writer{*this}; }

 private:
    http_exchange(http_service& service, model::session& client, std::uint64_t number) noexcept
        : http_connection{service, client, number} {}

    coro::task<bool> read_head();
    void count_answer() noexcept;
    void refuse_head(const http::http_refusal& why);
    /// Tells the access log, if there is one, that the request has ended.
    void tell() noexcept;
    /// The address of the client of this request.
    [[nodiscard]] result<net::address> address();
    /// The same, from the one of its connection.
    [[nodiscard]] net::address address_behind(const net::address& from);
    coro::task<void> answer();
    coro::task<void> answer_known(const login& who);
    coro::task<void> answer_after_login();
    coro::task<void> answer_other(http::http_method method, bool settled);
    /// Whether the request may be answered: false if it was refused.
    [[nodiscard]] bool is_for_us();
    [[nodiscard]] bool parse_path();
    [[nodiscard]] bool is_known(const login& who);
    [[nodiscard]] bool may_ask(http::http_method method);
    void refuse_permission(std::string_view why);
    [[nodiscard]] std::string methods();
    void answer_options();

    request_body body_{*this};
};

/// Handlers of the methods.
coro::task<void> answer_get(http_exchange& x);
coro::task<void> answer_put(http_exchange& x);
coro::task<void> answer_delete(http_exchange& x);

}  // namespace sluice::files
