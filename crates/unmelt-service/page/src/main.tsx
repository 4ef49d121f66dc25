import { render } from 'preact';
import './style/tokens.css';
import './style/base.css';
import './style/parts.css';
import './style/molecules.css';
import './style/scans.css';
import './style/lists.css';
import { App } from './app.tsx';

const page = document.getElementById('page');
if (page !== null) render(<App />, page);
