// The few words of each protocol that joining and speaking take.
#include "chat_protocol.hpp"

namespace load {
namespace {

/// Names of one length, so that all messages are of one length when they are delivered.
std::string name_of(bool sends, std::size_t index) {
    std::string number = std::to_string(index);
    number.insert(0, 5 - number.size(), '0');
    return (sends ? "s" : "m") + number;
}

chat_step irc_step(std::size_t step, const std::string& name) {
    // Whatever the server has to say of itself ends with one of 376 and 422: both hold this text.
    if (step == 0) return {"NICK " + name + "\r\nUSER " + name + " 0 * :" + name + "\r\n", "MOTD"};
    return {"JOIN #chat\r\n", " 366 "};
}

}  // namespace

chat_step chat_protocol::join(std::size_t step, bool sends, std::size_t index) const {
    const std::string name = name_of(sends, index);
    if (which_ == chat_server::irc) return irc_step(step, name);
    if (step > 0) return {};
    switch (which_) {
        case chat_server::sluice:
            if (!sends) return {{}, "* welcome"};
            return {"/nick " + name + "\n", "* you are now"};
        case chat_server::redis:
            if (sends) return {"PING\r\n", "+PONG"};
            return {"SUBSCRIBE chat\r\n", "chat\r\n:1\r\n"};
        case chat_server::nats:
            return {std::string{"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n"} +
                        (sends ? "" : "SUB chat 1\r\n") + "PING\r\n",
                    "PONG"};
        case chat_server::irc:
        case chat_server::ncat: break;
    }
    return {};
}

std::string chat_protocol::message(std::string_view text) const {
    const std::string plain{text};
    const std::string length = std::to_string(text.size());
    switch (which_) {
        case chat_server::sluice:
        case chat_server::ncat: return plain + "\n";
        case chat_server::redis:
            return "*3\r\n$7\r\nPUBLISH\r\n$4\r\nchat\r\n$" + length + "\r\n" + plain + "\r\n";
        case chat_server::nats: return "PUB chat " + length + "\r\n" + plain + "\r\n";
        case chat_server::irc: return "PRIVMSG #chat :" + plain + "\r\n";
    }
    return {};
}

bool chat_protocol::senders_are_members() const noexcept {
    return which_ != chat_server::redis && which_ != chat_server::nats;
}

}  // namespace load
