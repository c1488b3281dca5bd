// The page's CSS, as it is inlined.
#include "sluice/lab/report/style.hpp"

namespace sluice::lab {

const std::string_view page_style = R"(
:root{color-scheme:light dark;
--paper:#fbfbfa;--card:#fff;--ink:#1c2126;--soft:#5d6670;--faint:#e4e6e8;--line:#d3d7db;
--accent:#0a6cb5;--lead:#0a72ba;--other:#b4bcc4;--base:#7d8791;--warn:#8a5a00;
--warn-back:#fff6e0;
--s0:#0072b2;--s1:#d55e00;--s2:#008a63;--s3:#b04d8f;--s4:#b37400;--s5:#2f9bd6;--s6:#444;
--s7:#8a7d00}
@media(prefers-color-scheme:dark){:root{
--paper:#14171a;--card:#1b1f23;--ink:#e8eaec;--soft:#9aa4ae;--faint:#2a2f35;--line:#3a4149;
--accent:#62b5f0;--lead:#3d9be0;--other:#4c555e;--base:#7a858f;--warn:#f0c060;
--warn-back:#2c2514;
--s0:#4ba3e8;--s1:#ff8a4c;--s2:#2fc79a;--s3:#e494c6;--s4:#f0b03c;--s5:#8fd3ff;--s6:#d0d4d8;
--s7:#d8cc52}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main,header,footer{max-width:1000px;margin:0 auto;padding:0 24px}
header{padding-top:40px}
h1{font-size:30px;line-height:1.2;margin:0 0 8px;letter-spacing:-.01em}
h2{font-size:24px;margin:56px 0 4px;padding-top:16px;border-top:1px solid var(--line)}
h3{font-size:17px;margin:0 0 2px}
p{margin:0 0 8px}
a{color:var(--accent)}
code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace}
.meta{color:var(--soft);margin:0}
.meta code{color:var(--ink)}
.kicker{color:var(--accent);font-weight:600;margin:0 0 4px}
nav{display:flex;flex-wrap:wrap;gap:4px 20px;margin:16px 0 0;padding:10px 0;
border-bottom:1px solid var(--line)}
nav a{text-decoration:none}
nav a:hover{text-decoration:underline}
.answers{columns:2 340px;column-gap:16px;margin:24px 0 0}
.answers .card{break-inside:avoid;margin:0 0 16px}
.swatch{display:inline-block;width:12px;height:12px;border-radius:2px;background:var(--lead);
vertical-align:-1px}
.swatch.unsure{background:none;border:1.5px dashed var(--lead)}
.whisker-key{display:inline-block;width:18px;height:8px;border:solid var(--ink);
border-width:0 1.5px;background:linear-gradient(var(--ink),var(--ink)) center/100% 1.5px no-repeat}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;
min-width:0}
.card>a{font-weight:600;text-decoration:none}
.big{font-size:42px;line-height:1.1;font-weight:700;letter-spacing:-.02em;margin:6px 0 4px;
font-variant-numeric:tabular-nums}
.card ul{list-style:none;margin:10px 0 0;padding:10px 0 0;border-top:1px solid var(--faint);
font-size:14px;color:var(--soft)}
.card ul:first-of-type:nth-child(2){border:0;padding-top:0}
.card li+li{margin-top:8px}
.place{font-weight:600;color:var(--ink)}
.case{background:var(--card);border:1px solid var(--line);border-radius:10px;
padding:20px 22px 14px;margin:20px 0 0;min-width:0;break-inside:avoid}
.question{color:var(--soft);margin:0 0 14px}
.rank{color:var(--soft);font-size:14px;margin:0 0 8px}
.wide-table+.rank,svg+.rank{margin-top:28px}
svg{display:block;max-width:100%;overflow:visible}
svg text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",
sans-serif;fill:var(--ink)}
.bars .name.lead{font-weight:700}
.bars .value{text-anchor:end;font-weight:600;font-variant-numeric:tabular-nums}
svg .unit,svg .ratio,svg .mark{fill:var(--soft);font-weight:400}
svg .ratio{font-variant-numeric:tabular-nums}
.bar.unsure{fill:var(--card);stroke:var(--lead);stroke-width:1.5;stroke-dasharray:4 3}
.bar.lead{fill:var(--lead)}.bar.other{fill:var(--other)}.bar.base{fill:var(--base)}
.interval line{stroke:var(--ink);stroke-width:1.5}
.grid{stroke:var(--faint);stroke-width:1}
.notch{stroke:var(--line)}
svg .tick,svg .axis{fill:var(--soft);font-size:12px}
svg .tick.y{text-anchor:end}svg .tick.x,svg .axis.x{text-anchor:middle}
.hit{fill:transparent}
.bars g:hover .hit{fill:var(--faint);fill-opacity:.5}
svg.lines{width:100%;height:auto}
svg.wide{max-width:900px}
svg.narrow{display:none}
.lines polyline{fill:none;stroke:var(--c);stroke-width:2.2;stroke-linejoin:round}
.lines .whisker{stroke:var(--c);stroke-width:1.4}
.lines .dot{fill:var(--c);stroke:var(--card);stroke-width:1.2}
.lines .lead-line{fill:none;stroke:var(--line);stroke-width:1}
svg .line-name{fill:var(--c);font-weight:600}
.s0{--c:var(--s0)}.s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}
.s4{--c:var(--s4)}.s5{--c:var(--s5)}.s6{--c:var(--s6)}.s7{--c:var(--s7)}
.s1 polyline,.s5 polyline{stroke-dasharray:7 3}.s3 polyline,.s7 polyline{stroke-dasharray:2 3}
.tip{visibility:hidden;pointer-events:none}
.tip rect{fill:var(--ink)}
svg .tip text{fill:var(--paper);text-anchor:middle;font-size:12px;
font-variant-numeric:tabular-nums}
.point:hover .tip,.point:focus .tip{visibility:visible}
.point{outline:none}
.wide-table{overflow-x:auto;margin:12px -22px 0;padding:0 22px}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;
white-space:nowrap;min-width:60%}
th{font-weight:600;color:var(--soft);text-align:right;vertical-align:bottom;
padding:4px 0 4px 20px;line-height:1.25}
th small{font-weight:400;display:block}
td{text-align:right;padding:4px 0 4px 20px;border-top:1px solid var(--faint)}
th:first-child,td:first-child{text-align:left;padding-left:0}
td small{color:var(--soft)}
tr.lead td{font-weight:650}tr.lead td small{font-weight:400}
td.lead,b.lead{font-weight:700;color:var(--accent)}
td.unsure,b.unsure{font-weight:400;text-decoration:underline dashed var(--accent);
text-underline-offset:3px}
details{margin:12px 0 0;font-size:14px}
summary{cursor:pointer;color:var(--accent);width:fit-content}
dl{margin:0}
.commands dt{font-weight:600;margin-top:10px}
.commands dd{margin:2px 0 0}
pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;background:var(--paper);
border:1px solid var(--faint);border-radius:6px;padding:6px 10px}
.remarks{list-style:none;padding:0;margin:10px 0 0;font-size:14px;color:var(--soft)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(270px,1fr));gap:16px;
margin:16px 0 0}
.facts h3{margin-bottom:6px}
.facts dl{display:grid;grid-template-columns:auto 1fr;gap:2px 14px;font-size:14px}
.facts dt{color:var(--soft)}
.facts dd{margin:0;text-align:right;overflow-wrap:anywhere}
.warnings{background:var(--warn-back);border-color:var(--warn)}
.warnings ul{margin:0;padding-left:20px}
.interrupted{display:inline-block;background:var(--warn-back);color:var(--warn);
border:1px solid var(--warn);border-radius:6px;padding:2px 10px;margin:10px 0 0}
.method{max-width:72ch}
footer{color:var(--soft);font-size:14px;padding-top:32px;padding-bottom:48px}
@media(max-width:640px){
main,header,footer{padding-left:14px;padding-right:14px}header{padding-top:24px}
h1{font-size:25px}h2{font-size:21px;margin-top:40px}
.case{padding:16px 14px 10px}.wide-table{margin:12px -14px 0;padding:0 14px}
.big{font-size:36px}
svg .mark{display:none}
svg.wide{display:none}svg.narrow{display:block}}
@media print{
:root{color-scheme:light;--paper:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb}
body,.card ul,.rank,.remarks,table,.facts dl{font-size:11px}
main,header,footer{max-width:none;padding:0}nav,details{display:none}
h2{break-after:avoid}.bar,.card{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)";

}  // namespace sluice::lab
