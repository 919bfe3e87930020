# frozen_string_literal: true

# The page that greets you after `script/server`. It needs nothing but Rack. Change it, then `touch tmp/restart.txt`
# and reload: the change is there.

require "erb"

PAGE = ERB.new(<<~HTML, trim_mode: "<>")
  <!DOCTYPE html>
  <html lang="en">
    <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>Passenger is running</title>
      <style>
        body { font: 17px/1.6 system-ui, sans-serif; color: #223; background: #f6f7f9; margin: 0; }
        main { max-width: 44rem; margin: 3rem auto; padding: 2rem 2.5rem; background: #fff; border-radius: 10px;
               box-shadow: 0 1px 4px rgba(20, 30, 60, .15); }
        h1 { margin-top: 0; font-size: 1.7rem; }
        h2 { font-size: 1.1rem; margin-top: 2rem; }
        code, pre { font: 0.9em ui-monospace, monospace; background: #eef0f4; border-radius: 4px; }
        code { padding: .1em .35em; }
        pre { padding: .7em 1em; overflow-x: auto; }
        dl { display: grid; grid-template-columns: 10rem 1fr; gap: .2rem 1rem; }
        dt { color: #667; }
        dd { margin: 0; }
      </style>
    </head>
    <body>
      <main>
        <h1>Passenger is running</h1>
        <p>A Ruby application made this page. Its file names itself below: look into it.</p>
        <dl>
          <% facts.each do |name, value| %>
          <dt><%= name %></dt><dd><%= value %></dd>
          <% end %>
        </dl>

        <h2>What to do next</h2>
        <p>Serve an application of your own. Any directory with a <code>config.ru</code> will do, a Rails one too:</p>
        <pre>passenger start path/to/your/app</pre>
        <p>See which workers there are, what they do and how much memory each has to itself:</p>
        <pre>passenger status</pre>
        <p>Change the application, then let the next request meet the new version:</p>
        <pre>touch tmp/restart.txt</pre>
        <p>Stop with <code>Ctrl-C</code> here, or with <code>passenger stop</code> when it runs as a daemon.</p>

        <h2>Where to read on</h2>
        <p><code>README.md</code> for the first configuration, <code>docs/options.md</code> for every option,
          <code>docs/architecture.md</code> for how it works, <code>docs/fork_safety.md</code> before you open
          connections while booting.</p>
      </main>
    </body>
  </html>
HTML

run(lambda do |env|
  facts = {
    "Application" => File.expand_path(__FILE__),
    "Ruby" => RUBY_DESCRIPTION,
    "Rack" => Rack.release,
    "Environment" => ENV.fetch("RACK_ENV", "development"),
    "Worker" => "process #{Process.pid}",
    "Server" => env["SERVER_SOFTWARE"],
    "You asked for" => "#{env['REQUEST_METHOD']} #{env['PATH_INFO']}"
  }
  page = PAGE.result_with_hash(facts: facts.transform_values { |fact| ERB::Util.html_escape(fact) })
  [200, { "content-type" => "text/html; charset=utf-8" }, [page]]
end)
