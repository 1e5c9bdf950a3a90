// Listens to server-sent events as a browser would, and prints each as a line of JSON:
// {type, id, data}; {type: "open"} whenever a connection is made; {type: "closed", status} when the
// client gives up for good.
//
//   node events.mjs URL
import {EventSource} from 'eventsource';

const print = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const source = new EventSource(process.argv[2]);
source.onopen = () => print({type: 'open'});
source.onmessage = ({lastEventId, data}) => print({type: 'message', id: lastEventId, data: JSON.parse(data)});
source.addEventListener('end', () => {
  print({type: 'end'});
  source.close();
});
source.addEventListener('error', (event) => {
  if (event.data) {
    print({type: 'error', id: event.lastEventId, data: JSON.parse(event.data)});
  } else if (source.readyState === EventSource.CLOSED) {
    print({type: 'closed', status: event.code});
  }
});
