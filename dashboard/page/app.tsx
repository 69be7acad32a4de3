import { type JSX, render } from 'preact'
import { usePlace } from './place'
import { OneTask } from './task'
import { Tasks } from './tasks'
import './app.css'

function App(): JSX.Element {
  const place = usePlace()
  const [, id] = place.path
  return (
    <>
      <header>
        <a href="#/tasks">Tasks</a>
      </header>
      <main>{id === undefined ? <Tasks {...place} /> : <OneTask key={id} id={id} />}</main>
    </>
  )
}

render(<App />, document.body)
