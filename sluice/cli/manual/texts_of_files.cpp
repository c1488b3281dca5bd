// What help and manual say of files, of `serve` and of accounts.
#include "sluice/cli/manual/texts.hpp"

namespace sluice::cli {
namespace {

std::vector<status_text> transfer_statuses() {
    return {{"0", "All of it is there."},
            {"1", "It was refused, by the server or by the disk; a line on stderr says why."},
            {"2", "The command line, the environment or the configuration is wrong."},
            {"3", "No server is there, or it has gone and stayed so for `--retry` attempts."},
            {"4", "What arrived is not what was sent; nothing of it was kept."},
            {"130", "Ctrl-C (SIGINT) stopped it; a line on stderr says how to go on."}};
}

std::vector<command_text> texts_of_transfers() {
    return {
        {.path = "files put",
         .about =
             "Sends files by HTTP, or as plain streams (`tcp://`, `tls://`). An upload that was "
             "cut off goes on where it stopped, and its SHA-256 is compared at the end. With "
             "several files, one that is refused does not keep the others.",
         .examples = {{"One file, under a name",
                       "sluice files put plan.pdf http://127.0.0.1:8080/new.pdf"},
                      {"Several, each under its own name",
                       "sluice files put a.mp4 b.mp4 http://127.0.0.1:8080/new/"},
                      {"A folder with all below it",
                       "sluice files put -r photos http://127.0.0.1:8080/"},
                      {"What another program writes",
                       "tar c folder | sluice files put - http://127.0.0.1:8080/a.tar"},
                      {"A bare stream", "sluice files put disk.img tcp://127.0.0.1:5001"}},
         .statuses = transfer_statuses(),
         .operands = "FILE... URL",
         .see_also = {"curl(1)"}},
        {.path = "files get",
         .about =
             "Writes to a hidden file beside its target, and gives it its name when it is whole, "
             "checked against the server's digest, and on the disk. When the connection breaks, it "
             "asks for the rest; after Ctrl-C or a crash, `--resume` does.",
         .examples = {{"Under its own name, here", "sluice files get http://127.0.0.1:8080/a.mp4"},
                      {"Go on with what an earlier get left",
                       "sluice files get http://127.0.0.1:8080/a.mp4 --resume"},
                      {"To another program",
                       "sluice files get http://127.0.0.1:8080/a.tar -o - | tar x"},
                      {"As a user, from a server with a certificate of its own making",
                       "sluice files get https://example.org:8443/a.pdf --user ann"}},
         .statuses = transfer_statuses(),
         .operands = {},
         .see_also = {"curl(1)"}},
        {.path = "files offer",
         .about = "Each client that connects gets the bytes of the file, then the end. A client is "
                  "`sluice files get tcp://HOST:PORT`, nc(1), or any program with a socket.",
         .examples = {{"To all who connect to port 8082", "sluice files offer disk.img"},
                      {"To two of them, then end", "sluice files offer disk.img --count 2"},
                      {"Fetch it", "sluice files get tcp://127.0.0.1:8082 -o copy.img"}},
         .statuses = server_statuses(),
         .operands = {},
         .see_also = {"nc(1)"}},
    };
}

std::vector<command_text> texts_of_stores() {
    return {
        {.path = "files",
         .about = "A directory that is served over HTTP and over plain streams, and its clients. A "
                  "file has its name when all of it has come, was checked and lies on the disk, "
                  "and not before.",
         .examples = {{"Serve a directory", "sluice files serve --create store"},
                      {"Put a file there", "sluice files put plan.pdf http://127.0.0.1:8080/"},
                      {"Get it", "sluice files get http://127.0.0.1:8080/plan.pdf"}},
         .statuses = usual_statuses(),
         .operands = {},
         .see_also = {"curl(1)"}},
        {.path = "files serve",
         .about =
             "Serves DIR at two addresses: browsers, curl(1) and `sluice files put` come by HTTP; "
             "a "
             "program that has only a socket streams its bytes to the raw one. With neither "
             "`--http` nor `--raw` it listens at both; with one of them, at that one alone.\n\n"
             "HTTP/1.1 has PUT, GET, HEAD, DELETE where `--allow` says so, ranges, conditional "
             "requests, digests, and the listing of a directory as HTML or JSON.\n\n"
             "From this machine a client may put files, and replace them. From any other it only "
             "reads, until `--allow` or `--auth` says more.",
         .examples =
             {{"On this machine; make the directory if need be",
               "sluice files serve --create store"},
              {"For all to read", "sluice files serve share --http 0.0.0.0:8080"},
              {"A drop box of 10 GiB over TLS, by accounts",
               "sluice files serve drop --http 0.0.0.0:8443 --tls --auth accounts --quota 10G"},
              {"Uploads below /inbox alone",
               "sluice files serve drop --http 0.0.0.0:8080 --allow upload:/inbox"}},
         .statuses = server_statuses(),
         .operands = {},
         .see_also = {"curl(1)", "nc(1)"}},
        {.path = "serve",
         .about =
             "Chat on port 5000, files over HTTP on 8080 and as raw streams on 5001, compute on "
             "2999: one process, one event model. One SIGTERM drains all of it.",
         .examples =
             {{"All of it, on this machine", "sluice serve"},
              {"For others, by accounts, over TLS",
               "sluice serve --http 0.0.0.0:8443 --chat 0.0.0.0:5000 --tls --auth accounts"},
              {"Files elsewhere, and no uploads", "sluice serve --files /srv/files --read-only"}},
         .statuses = server_statuses(),
         .operands = {},
         .see_also = {}},
    };
}

std::vector<command_text> texts_of_accounts() {
    return {
        {.path = "passwd",
         .about =
             "Makes, changes or removes an account in a file, which servers take by `--auth`. The "
             "file holds hashes (scrypt), and only its owner may read it. A server reads it again "
             "on SIGHUP.",
         .examples = {{"ann may do all with files", "sluice passwd accounts ann --allow all"},
                      {"bob may read, and upload below /inbox",
                       "sluice passwd accounts bob --allow read --allow upload:/inbox"},
                      {"Who has no name may read below /public",
                       "sluice passwd accounts '*' --allow read:/public"},
                      {"A program, which has tokens alone",
                       "sluice passwd accounts builder --no-password --allow ask"},
                      {"Remove an account", "sluice passwd accounts bob --remove"}},
         .statuses = usual_statuses(),
         .operands = {},
         .see_also = {"sluice-token(1)", "sluice-files-serve(1)"}},
        {.path = "token",
         .about =
             "Prints a token that stands for an account until it expires, with all of its rights "
             "or some. Keep it as you would a password. Clients give it "
             "by `--token-file`, and over HTTP in the field `Authorization: Bearer`.",
         .examples = {{"A day of reading",
                       "sluice token ann --auth accounts --allow read --expires 1d"},
                      {"For a program, in a file",
                       "sluice token builder --auth accounts --expires 30d > token"}},
         .statuses = usual_statuses(),
         .operands = {},
         .see_also = {"sluice-passwd(1)"}},
    };
}

}  // namespace

std::vector<command_text> texts_of_files() {
    auto all = texts_of_stores();
    for (const auto part : {texts_of_transfers, texts_of_accounts}) {
        for (auto& each : part()) all.push_back(std::move(each));
    }
    return all;
}

}  // namespace sluice::cli
