"""The page that `report.write_report` fills, a Jinja template."""

from __future__ import annotations

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="key" content="{{ key }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Faces: what was kept and what was dropped</title>
<style>
:root { color-scheme: light dark; --line: #8885; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto;
  padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
td, th { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.columns { display: grid; gap: 0 2rem; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); }
.sheet { display: grid; gap: 4px;
  grid-template-columns: repeat(auto-fill, minmax(72px, 1fr)); }
.wide { grid-template-columns: repeat(auto-fill, minmax(min(220px, 100%), 1fr)); }
.sheet img { width: 100%; height: 100%; object-fit: contain; background: var(--soft); }
.bars { display: flex; align-items: flex-end; height: 8rem; gap: 2px;
  border-bottom: 1px solid var(--line); }
.bar { flex: 1; height: 100%; position: relative; background: var(--soft); }
.bar i { position: absolute; bottom: 0; left: 0; right: 0; }
.labels { display: flex; gap: 2px; font-size: .65rem; }
.labels span { flex: 1; overflow-wrap: normal; }
.all { background: {{ colors.other }}; } .kept { background: {{ colors.kept }}; }
.key { display: inline-block; width: .8em; height: .8em; }
</style>
</head>
<body>
{% macro source(text) %}
{% if text is web_address %}
<a href="{{ text }}" rel="nofollow noreferrer">{{ text | text }}</a>
{% else %}
{{ text | text }}
{% endif %}
{% endmacro %}
{% macro counts(title, rows) %}
{% if rows %}
<table><caption>{{ title }}</caption>
{% for name, count in rows.items() %}
<tr><td>{{ name | text }}</td><td class="number">{{ count }}</td></tr>
{% endfor %}
</table>
{% endif %}
{% endmacro %}
{% macro rest(count, what) %}
{% if count > rows %}
<p>and {{ count - rows }} more: see {{ what }}.</p>
{% endif %}
{% endmacro %}
<h1>{{ kept }} {{ "face is" if kept == 1 else "faces are" }} kept</h1>
<p>From {{ stats.pictures.values() | sum }} pictures. Each face, with its box and the
reason why it was kept or not, is a row of manifest.csv.</p>
<div class="columns">
{{ counts("Pictures", stats.pictures) }}
{{ counts("Faces", stats.faces) }}
{{ counts("Faces dropped, by reason", stats["dropped faces"]) }}
{{ counts("Pictures that gave no face, by reason", stats["dropped pictures"]) }}
{{ counts("Pictures that failed, by reason", stats["failed pictures"]) }}
</div>

{% for sheet in sheets if sheet.images %}
<h2>{{ sheet.title | text }} ({{ sheet.count }})</h2>
{% if sheet.images | length < sheet.count %}
<p>{{ sheet.images | length }} of them:</p>
{% endif %}
<div class="sheet">
{% for uri, name in sheet.images %}
<img src="{{ uri }}" alt="{{ sheet.title | text }}: {{ name }}" title="{{ name }}">
{% endfor %}
</div>
{% endfor %}

{% if detections.images %}
<h2>What the detector found</h2>
<p><span class="key kept"></span> kept, with a bold frame
<span class="key all"></span> not kept. Faces without a frame, or frames without a face:
then look at the settings of detect.</p>
<div class="sheet wide">
{% for uri, name in detections.images %}
<img src="{{ uri }}" alt="Faces framed in {{ name }}" title="{{ name }}">
{% endfor %}
</div>
{% endif %}

<h2>Scores and sizes</h2>
<p><span class="key kept"></span> kept <span class="key all"></span> all other faces</p>
<div class="columns">
{% for histogram in histograms %}
<figure style="margin: 0">
<figcaption>{{ histogram.title }}: median {{ histogram.median }}</figcaption>
<div class="bars" role="img" aria-label="{{ histogram.title }}, from the left:
{%- for bar in histogram.bars %}
 from {{ bar.label }}: {{ bar.all }} faces, {{ bar.kept }} kept;
{%- endfor %}">
{% for bar in histogram.bars %}
<div class="bar" title="from {{ bar.label }}: {{ bar.all }} faces, {{ bar.kept }} kept">
<i class="all" style="height: {{ bar.all_height }}%"></i>
<i class="kept" style="height: {{ bar.kept_height }}%"></i></div>
{% endfor %}
</div>
<div class="labels" aria-hidden="true">
{% for bar in histogram.bars %}
<span>{{ bar.label if loop.index0 is divisibleby(2) else "" }}</span>
{% endfor %}
</div>
</figure>
{% endfor %}
</div>

<h2>Licences of what is kept</h2>
{% if licences %}
<table>
<tr><th>Licence</th><th class="number">Pictures</th><th class="number">Faces</th></tr>
{% for licence, pictures, faces in licences[:rows] %}
<tr><td>{{ licence | text or "unknown: ask before you share the set" }}</td>
<td class="number">{{ pictures }}</td><td class="number">{{ faces }}</td></tr>
{% endfor %}
</table>
{{ rest(licences | length, "dataset.json") }}
{% else %}
<p>Nothing is kept.</p>
{% endif %}
{% if credits %}
<h2>Made by</h2>
<table>
<tr><th>Attribution</th><th>Licence</th><th class="number">Pictures</th></tr>
{% for attribution, licence, pictures in credits[:rows] %}
<tr><td>{{ source(attribution) }}</td><td>{{ licence | text or "unknown" }}</td>
<td class="number">{{ pictures }}</td></tr>
{% endfor %}
</table>
{{ rest(credits | length, "dataset.json") }}
{% endif %}

{% for status, sources in troubles.items() if sources %}
<h2>Pictures that {{ "failed, tried again next time" if status == "failed"
 else "were dropped" }}</h2>
<table>
<tr><th>Picture</th><th>Reason</th></tr>
{% for row in sources[:rows] %}
<tr><td>{{ source(row.source) }}</td><td>{{ row.reason | text }}</td></tr>
{% endfor %}
</table>
{{ rest(sources | length, "manifest.csv") }}
{% endfor %}
</body>
</html>
"""
